package devtool

import (
	"encoding/json"
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
		// ExpiresAt is in seconds since 1970, which may be in quotes; az has it since 2.54.
		ExpiresAt json.Number `json:"expires_on"`
	}
	said, err := findObject(out, func(o object) bool { return o.AccessToken != "" })
	if err != nil {
		return answer{}, err
	}
	if said.ExpiresAt != "" {
		seconds, err := said.ExpiresAt.Int64()
		return answer{said.AccessToken, said.Tenant, time.Unix(seconds, 0)}, err
	}
	expires, err := time.ParseInLocation(time.DateTime, said.ExpiresOn, time.Local)
	if err != nil { // as other tools that are installed as az write it
		expires, err = time.Parse(time.RFC3339, said.ExpiresOn)
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
