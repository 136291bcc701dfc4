package devtool

import (
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// What tools were recorded to print to standard error; messages are shortened.
const (
	azSignedOut = "ERROR: Please run 'az login' to setup account.\n"
	azExpired   = "ERROR: AADSTS700082: The refresh token has expired due to inactivity. \n" +
		"Interactive authentication is needed. Please run:\naz login --scope https://containerregistry.azure.net/.default\n"
	azUnknown = "ERROR: Subscription '" + sub + "' not found. Check the spelling and casing and try again.\n"

	azdMessage   = `{"type":"consoleMessage","timestamp":"2026-11-21T20:00:00Z","data":{"message":`
	azdSignedOut = azdMessage + `"\nERROR: not logged in, run ` + "`azd auth login`" + ` to login\n"}}` + "\n"
	azdError     = azdMessage + `"\n"}}` + "\n" +
		`{"error":"not logged in, run ` + "`azd auth login`" + ` to login","message":"x","suggestion":"y"}` + "\n"
	azdExpired = azdMessage + `"\nERROR: fetching token: AADSTS700082: The refresh token has expired due to inactivity. ` +
		`Trace ID: x\n"}}` + "\n" + azdMessage + `"Suggestion: reauthentication required, run ` +
		"`azd auth login --scope https://containerregistry.azure.net/.default`" + ` to acquire a new token.\n"}}` + "\n"

	pwshSignedOut = "Run Connect-AzAccount to login.\n"
	pwshExpired   = "Your Azure credentials have not been set up or have expired, please run Connect-AzAccount to set " +
		"up your Azure credentials.\n"
	pwshMultiFactor = "User interaction is required. AADSTS50076: Due to a configuration change made by your " +
		"administrator, you must use multi-factor authentication. Please rerun 'Connect-AzAccount' with additional " +
		"parameter '-AuthScope'\n"
)

// TestTool_explain_and_accept has the answers and error outputs of tools that fail, and answers that can't be used.
func TestTool_explain_and_accept(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 31 processes")
	}
	const malformed, expired = "invalid response", "expired token"
	instead := "tenant " + tenant + " instead of " + otherTenant
	none, ofOther := identity.Identity{}, identity.Identity{Tenant: otherTenant}
	inSub, inOther := identity.Identity{Subscription: sub}, identity.Identity{Subscription: sub, Tenant: otherTenant}
	bySub := append(args("az"), "--subscription", sub)
	outdated := func(tool, old, new string) recording {
		return recording{Stdout: strings.Replace(answers[tool], old, new, 1)}
	}
	for _, row := range []struct {
		tool string
		id   identity.Identity
		recording
		code fault.Code
		says string // what tells it from other errors with the same code, or names the cause
	}{
		{"az", none, recording{Status: 1, Stderr: azSignedOut}, fault.AzureCLISignedOut, ""},
		{"az", none, recording{Status: 1, Stderr: azExpired}, "AADSTS700082", ""},
		{"az", none, recording{Status: 3, Stderr: "Traceback:\n " + canary}, fault.AzureCLIFailed, "exit status 3"},
		{"az", inSub, recording{Args: bySub, Status: 1, Stderr: azUnknown}, fault.AzureCLISubscription, sub},
		{"az", inSub, recording{Args: bySub, Status: 1, Stderr: azExpired + sub}, "AADSTS700082", ""},
		{"az", none, recording{Stdout: "WARNING: x " + answers["azd"]}, fault.AzureCLIFailed, malformed},
		{"az", none, recording{Huge: 2 << 20, Stdout: answers["az"]}, fault.AzureCLIFailed, malformed},
		{"az", none, recording{Huge: 2 << 20, Status: 1, Stderr: azSignedOut}, fault.AzureCLISignedOut, ""},
		{"az", none, outdated("az", "1795294800", "1795291200"), fault.AzureCLIFailed, expired},
		{"az", ofOther, recording{Stdout: answers["az"]}, fault.AzureCLITenant, instead},
		{"az", inOther, recording{Args: bySub, Stdout: answers["az"]}, fault.AzureCLITenant, instead},

		{"azd", none, recording{Status: 1, Stderr: azdSignedOut}, fault.AzdSignedOut, ""},
		{"azd", none, recording{Status: 1, Stderr: azdError}, fault.AzdSignedOut, ""},
		{"azd", none, recording{Status: 1, Stderr: azdExpired}, "AADSTS700082", ""},
		{"azd", none, recording{Status: 1, Stderr: azdMessage + `"` + canary + `"}}`}, fault.AzdFailed, "exit status 1"},
		{"azd", none, recording{Stdout: canary}, fault.AzdFailed, malformed},
		{"azd", none, recording{Stdout: `{"token":"","expiresOn":"2026-11-21T21:00:00Z"}`}, fault.AzdFailed, malformed},
		{"azd", none, recording{Stdout: `{"token":"` + canary + `"}`}, fault.AzdFailed, malformed},
		{"azd", none, recording{Stdout: `{"token":"` + canary + `","expiresOn":"tomorrow"}`}, fault.AzdFailed, malformed},
		{"azd", none, recording{Huge: 2 << 20, Stdout: answers["azd"]}, fault.AzdFailed, malformed},
		{"azd", none, outdated("azd", "21:00", "20:00"), fault.AzdFailed, expired},

		{"pwsh", none, recording{Status: exitNoModule}, fault.PowerShellModule, "2.2 or later"},
		{"pwsh", none, recording{Status: exitSignedOut}, fault.PowerShellSignedOut, ""},
		{"pwsh", none, recording{Status: 1, Stderr: pwshSignedOut}, fault.PowerShellSignedOut, ""},
		{"pwsh", none, recording{Status: 1, Stderr: pwshExpired}, fault.PowerShellSignedOut, ""},
		{"pwsh", none, recording{Status: 1, Stderr: pwshMultiFactor}, "AADSTS50076", ""},
		{"pwsh", none, recording{Status: 1, Stderr: canary}, fault.PowerShellFailed, "exit status 1"},
		{"pwsh", none, recording{Stdout: canary}, fault.PowerShellFailed, malformed},
		{"pwsh", none, recording{Huge: 2 << 20, Stdout: answers["pwsh"]}, fault.PowerShellFailed, malformed},
		{"pwsh", none, outdated("pwsh", "1795294800", "-62135596800"), fault.PowerShellFailed, expired},
		{"pwsh", ofOther, recording{Stdout: answers["pwsh"]}, fault.PowerShellTenant, instead},
	} {
		row.id.Audience = audience
		if row.Args == nil {
			row.Args = args(row.tool)
		}
		dir := install(t, map[string]recording{row.tool: row.recording})
		_, err := accessToken(t.Context(), dir, row.tool, row.id)
		if code := codeOf(t, err); code != row.code || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %s: %v, want %s, %s", row.tool, code, err, row.code, row.says)
		}
	}
}
