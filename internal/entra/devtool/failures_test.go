package devtool

import (
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// What tools were recorded to say on standard error; messages are shortened.
const (
	azSignedOut    = "ERROR: Please run 'az login' to setup account.\n"
	azExpired      = "ERROR: AADSTS700082: The refresh token has expired due to inactivity. \nInteractive authentication is needed. Please run:\naz login --scope https://containerregistry.azure.net/.default\n"
	azUnknown      = "ERROR: Subscription '" + sub + "' not found. Check the spelling and casing and try again.\n"
	azdSignedOut   = `{"type":"consoleMessage","timestamp":"2026-11-21T20:00:00Z","data":{"message":"\nERROR: not logged in, run ` + "`azd auth login`" + ` to login\n"}}` + "\n"
	azdSignedOut2  = `{"type":"consoleMessage","timestamp":"2026-11-21T20:00:00Z","data":{"message":"\n"}}` + "\n" + `{"error":"not logged in, run ` + "`azd auth login`" + ` to login","message":"x","suggestion":"y"}` + "\n"
	azdExpired     = `{"type":"consoleMessage","timestamp":"2026-11-21T20:00:00Z","data":{"message":"\nERROR: fetching token: AADSTS700082: The refresh token has expired due to inactivity. Trace ID: x\n"}}` + "\n" + `{"type":"consoleMessage","timestamp":"2026-11-21T20:00:00Z","data":{"message":"Suggestion: reauthentication required, run ` + "`azd auth login --scope https://containerregistry.azure.net/.default`" + ` to acquire a new token.\n"}}` + "\n"
	pwshExpired    = "Your Azure credentials have not been set up or have expired, please run Connect-AzAccount to set up your Azure credentials.\n"
	pwshMultiple   = "User interaction is required. AADSTS50076: Due to a configuration change made by your administrator, you must use multi-factor authentication. Please rerun 'Connect-AzAccount' with additional parameter '-AuthScope'\n"
	pwshNotWrapped = "Run Connect-AzAccount to login.\n"
)

func TestFailures(t *testing.T) {
	chosen := identity.Identity{Audience: audience, Subscription: sub}
	withSubscription := append(args("az"), "--subscription", sub)
	for _, row := range []struct {
		tool string
		id   identity.Identity
		recording
		want string
	}{
		{"az", identity.Identity{}, recording{Status: 1, Stderr: azSignedOut}, CodeAzSignedOut + ": Azure CLI is not signed in"},
		{"az", identity.Identity{}, recording{Status: 1, Stderr: azExpired}, "AADSTS700082: the sign-in has expired for want of use (AADSTS700082)"},
		{"az", identity.Identity{}, recording{Status: 3, Stderr: "Traceback (most recent call last):\n " + canary}, CodeAzFailed + ": Azure CLI ended with exit status 3"},
		{"az", chosen, recording{Args: withSubscription, Status: 1, Stderr: azUnknown}, CodeAzNoSubscription + ": Azure CLI has no subscription " + sub},
		{"az", chosen, recording{Args: withSubscription, Status: 1, Stderr: azExpired + sub}, "AADSTS700082: the sign-in has expired for want of use (AADSTS700082)"},
		{"az", identity.Identity{}, recording{Stdout: "WARNING: x " + answers["az"]}, CodeAzFailed + ": Azure CLI's answer is not understood"},
		{"az", identity.Identity{}, recording{Huge: 2 << 20, Stdout: answers["az"]}, CodeAzFailed + ": Azure CLI's answer is not understood"},
		{"az", identity.Identity{}, recording{Huge: 2 << 20, Status: 1, Stderr: azSignedOut}, CodeAzSignedOut + ": Azure CLI is not signed in"},
		{"az", identity.Identity{}, recording{Stdout: strings.Replace(answers["az"], "1795294800", "1795291200", 1)}, CodeAzFailed + ": Azure CLI answered with an expired token"},
		{"az", identity.Identity{Tenant: otherTenant}, recording{Stdout: answers["az"]}, CodeAzOtherTenant + `: Azure CLI answered for tenant "` + tenant + `" instead of ` + otherTenant},
		{"az", identity.Identity{Tenant: otherTenant, Subscription: sub}, recording{Args: withSubscription, Stdout: answers["az"]}, CodeAzOtherTenant + `: Azure CLI answered for tenant "` + tenant + `" instead of ` + otherTenant},

		{"azd", identity.Identity{}, recording{Status: 1, Stderr: azdSignedOut}, CodeAzdSignedOut + ": Azure Developer CLI is not signed in"},
		{"azd", identity.Identity{}, recording{Status: 1, Stderr: azdSignedOut2}, CodeAzdSignedOut + ": Azure Developer CLI is not signed in"},
		{"azd", identity.Identity{}, recording{Status: 1, Stderr: azdExpired}, "AADSTS700082: the sign-in has expired for want of use (AADSTS700082)"},
		{"azd", identity.Identity{}, recording{Status: 1, Stderr: `{"data":{"message":"` + canary + `"}}`}, CodeAzdFailed + ": Azure Developer CLI ended with exit status 1"},
		{"azd", identity.Identity{}, recording{Stdout: canary}, CodeAzdFailed + ": Azure Developer CLI's answer is not understood"},
		{"azd", identity.Identity{}, recording{Stdout: `{"token":"","expiresOn":"2026-11-21T21:00:00Z"}`}, CodeAzdFailed + ": Azure Developer CLI's answer is not understood"},
		{"azd", identity.Identity{}, recording{Stdout: `{"token":"` + canary + `"}`}, CodeAzdFailed + ": Azure Developer CLI's answer is not understood"},
		{"azd", identity.Identity{}, recording{Stdout: `{"token":"` + canary + `","expiresOn":"tomorrow"}`}, CodeAzdFailed + ": Azure Developer CLI's answer is not understood"},
		{"azd", identity.Identity{}, recording{Huge: 2 << 20, Stdout: answers["azd"]}, CodeAzdFailed + ": Azure Developer CLI's answer is not understood"},
		{"azd", identity.Identity{}, recording{Stdout: strings.Replace(answers["azd"], "21:00", "20:00", 1)}, CodeAzdFailed + ": Azure Developer CLI answered with an expired token"},

		{"pwsh", identity.Identity{}, recording{Status: exitNoModule}, CodePwshNoModule + ": PowerShell has no module Az.Accounts of version 2.2 or newer"},
		{"pwsh", identity.Identity{}, recording{Status: exitSignedOut}, CodePwshSignedOut + ": Azure PowerShell is not signed in"},
		{"pwsh", identity.Identity{}, recording{Status: 1, Stderr: pwshNotWrapped}, CodePwshSignedOut + ": Azure PowerShell is not signed in"},
		{"pwsh", identity.Identity{}, recording{Status: 1, Stderr: pwshExpired}, CodePwshSignedOut + ": Azure PowerShell is not signed in"},
		{"pwsh", identity.Identity{}, recording{Status: 1, Stderr: pwshMultiple}, "AADSTS50076: multi-factor authentication is needed (AADSTS50076)"},
		{"pwsh", identity.Identity{}, recording{Status: 1, Stderr: canary}, CodePwshFailed + ": Azure PowerShell ended with exit status 1"},
		{"pwsh", identity.Identity{}, recording{Stdout: canary}, CodePwshFailed + ": Azure PowerShell's answer is not understood"},
		{"pwsh", identity.Identity{}, recording{Huge: 2 << 20, Stdout: answers["pwsh"]}, CodePwshFailed + ": Azure PowerShell's answer is not understood"},
		{"pwsh", identity.Identity{}, recording{Stdout: strings.Replace(answers["pwsh"], "1795294800", "-62135596800", 1)}, CodePwshFailed + ": Azure PowerShell answered with an expired token"},
		{"pwsh", identity.Identity{Tenant: otherTenant}, recording{Stdout: answers["pwsh"]}, CodePwshOtherTenant + `: Azure PowerShell answered for tenant "` + tenant + `" instead of ` + otherTenant},
	} {
		if row.id.Audience = audience; row.Args == nil {
			row.Args = args(row.tool)
		}
		dir := install(t, map[string]recording{row.tool: row.recording})
		_, err := ways[row.tool](toolsIn(dir), t.Context(), row.id)
		if got := describe(t, err); got != row.want {
			t.Errorf("%s: %s, want %s", row.tool, got, row.want)
		}
	}
}
