package devtool

import (
	"errors"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// azureCLI takes up to three seconds for a token that it must renew; if Entra can't be
// reached, it never ends by itself.
var azureCLI = tool{
	product: "Azure CLI", names: []string{"az"}, timeout: 10 * time.Second, login: "az login",
	args: azureCLIArgs, parse: parseAzureCLI, environ: []string{"AZURE_CORE_NO_COLOR=1"},
	missing: fault.AzureCLIMissing, signedOut: fault.AzureCLISignedOut, timedOut: fault.AzureCLITimeout,
	failed: fault.AzureCLIFailed, otherTenant: fault.AzureCLITenant,
}

func azureCLIArgs(id identity.Identity) []string {
	args := []string{"account", "get-access-token", "--output", "json", "--resource", id.Audience}
	switch { // az refuses both together
	case id.Subscription != "":
		return append(args, "--subscription", id.Subscription)
	case id.AskTenant:
		return append(args, "--tenant", id.Tenant)
	}
	return args
}

func parseAzureCLI(out []byte, _ string) (a answer, err error) {
	type object struct {
		AccessToken string `json:"accessToken"`
		Tenant      string `json:"tenant"`
		// ExpiresOn is local time without a zone.
		ExpiresOn string `json:"expiresOn"`
		// ExpiresAt is in seconds since 1970; az has it since 2.54.
		ExpiresAt int64 `json:"expires_on"`
	}
	said, err := findObject(out, func(o object) bool { return o.AccessToken != "" })
	if err != nil {
		return answer{}, err
	}
	expires := time.Unix(said.ExpiresAt, 0)
	if said.ExpiresAt == 0 {
		expires, err = time.ParseInLocation("2006-01-02 15:04:05", said.ExpiresOn, time.Local)
	}
	return answer{said.AccessToken, said.Tenant, expires}, err
}

// azd is Azure Developer CLI. (Command and answer as in azidentity's
// AzureDeveloperCLICredential.)
var azd = tool{
	product: "Azure Developer CLI", names: []string{"azd"}, timeout: 10 * time.Second, login: "azd auth login",
	args: azdArgs, parse: parseAzd, environ: []string{"NO_COLOR=1"},
	missing: fault.AzdMissing, signedOut: fault.AzdSignedOut, timedOut: fault.AzdTimeout, failed: fault.AzdFailed,
}

func azdArgs(id identity.Identity) []string {
	args := []string{"auth", "token", "-o", "json", "--no-prompt", "--scope", id.Audience + "/.default"}
	if id.AskTenant {
		return append(args, "--tenant-id", id.Tenant)
	}
	return args
}

// parseAzd reads an answer that doesn't say whose token it is.
func parseAzd(out []byte, tenant string) (answer, error) {
	type object struct {
		Token     string    `json:"token"`
		ExpiresOn time.Time `json:"expiresOn"`
	}
	said, err := findObject(out, func(o object) bool { return o.Token != "" })
	if err == nil && said.ExpiresOn.IsZero() {
		err = errors.New("no end")
	}
	return answer{said.Token, tenant, said.ExpiresOn}, err
}
