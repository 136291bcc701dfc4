package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// advice is the line for people: what went wrong, and what to do about it. ""
// where nothing is wrong.
func advice(err error) string {
	var missing *credhelper.NotFoundError
	if errors.As(err, &missing) {
		switch {
		case missing.Why == "":
			return ""
		case missing.Registry == "":
			return missing.Why
		}
		return fmt.Sprintf("%s: %s; hint: run: az login (or: docker login %[1]s); for anonymous pull there is nothing to do",
			missing.Registry, missing.Why)
	}
	var failed *credhelper.Error
	if !errors.As(err, &failed) {
		return err.Error()
	}
	if hint := hintFor(failed); hint != "" {
		return err.Error() + "; hint: " + hint
	}
	return err.Error()
}

// hintFor looks up what to do about a failure. REGISTRY stands for the login
// server in the tables' texts, CLIENT-ID for the service principal's.
func hintFor(failed *credhelper.Error) string {
	if errors.Is(failed, vault.ErrBusy) {
		return "try again"
	}
	if errors.Is(failed, vault.ErrNoHome) {
		return "unlock the OS keyring, or say with DOCKER_CREDENTIAL_ACR_KEYRING which other home the key shall have (file: a file of mode 0600)"
	}
	var coded interface{ Code() string }
	if !errors.As(failed, &coded) {
		return ""
	}
	code := coded.Code()
	hint := cmp.Or(hintBySource(failed)[code], hints[code], traced)
	client := failed.Identity[strings.LastIndex(failed.Identity, " ")+1:]
	return strings.NewReplacer("REGISTRY", failed.Registry, "CLIENT-ID", client).Replace(hint)
}

// hintBySource is the table of hints that differ by where the identity came
// from.
func hintBySource(failed *credhelper.Error) map[string]string {
	switch {
	case strings.HasPrefix(failed.Identity, "Azure CLI's "):
		return azHints
	case strings.HasPrefix(failed.Source, "config file "):
		return configHints
	case failed.Source == "a stored login":
		return storedHints
	}
	return nil
}

const (
	newSecret = "make a new one with: az ad app credential reset --id CLIENT-ID, and set AZURE_CLIENT_SECRET to it"
	again     = "run: docker logout REGISTRY, then docker login REGISTRY -u CLIENT-ID with the right secret"
	azLogin   = "run: az login"
	role      = "ask for the role AcrPull (or AcrPush) on the registry, and check that the identity belongs to the registry's tenant"
	azTry     = "try: az account get-access-token --resource https://containerregistry.azure.net"
	proxy     = "check for a proxy or portal between here and Azure"
	network   = "check the network, and HTTPS_PROXY if there is a proxy; if it is the registry that is not found, check its name"
	traced    = "set DOCKER_CREDENTIAL_ACR_TRACE=1 to see the steps; the correlation id helps Microsoft's support"
	status    = "see https://azure.status.microsoft and try again"
)

// storedHints are for secrets that came in through docker login. They begin with
// a logout, because podman and skopeo give up when they can't get the old login,
// and because docker may hand over a token instead of the secret, which never
// displaces a stored service principal.
var storedHints = map[string]string{
	"AADSTS7000215": again,
	"AADSTS7000222": "make a new secret with: az ad app credential reset --id CLIENT-ID; then " + again,
	"AADSTS700016":  "set AZURE_TENANT_ID to the application's tenant, then " + again,
	"AADSTS90002":   "set AZURE_TENANT_ID to the application's tenant, then " + again,
}

// configHints are for service principals that the config file names.
var configHints = map[string]string{
	"AADSTS700016": "check clientId and tenant in the config file: the application must belong to the tenant",
	"AADSTS90002":  "check tenant in the config file: it must belong to the registry's cloud",
	"AADSTS900382": "check tenant in the config file: it must belong to the registry's cloud",
}

// azHints are for whoever is signed in to Azure CLI, where signing in anew helps.
var azHints = map[string]string{
	"AADSTS70043": azLogin, "AADSTS700082": azLogin, "AADSTS50132": azLogin, "AADSTS50133": azLogin, "AADSTS50173": azLogin,
	"AADSTS50072": azLogin, "AADSTS50074": azLogin, "AADSTS50076": azLogin, "AADSTS50079": azLogin, "AADSTS65001": azLogin,
	"AADSTS7000215": "run: az login --service-principal, with the right secret", "AADSTS7000222": "run: az login --service-principal, with a new secret",
	"AADSTS700016": azLogin, "AADSTS90002": azLogin,
	exchange.CodeUnauthorized: role + `; for anonymous pull say "identity": "anonymous" for REGISTRY in the config file`,
}

// hints maps a failure's code to what its user can do. Every command in it
// exists.
var hints = map[string]string{
	identity.CodeConfig:      "mend the config file; the README shows its form",
	identity.CodeConfigMode:  "run: chmod go-w on that file, as its owner, who must be you or root",
	identity.CodeNoSecret:    "set AZURE_CLIENT_SECRET to the secret of that service principal",
	identity.CodeNoAzureCLI:  azLogin,
	identity.CodeHalfSet:     "set all of AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or none",
	identity.CodeBadVariable: "correct the variable; a client id is the application's GUID, not its name",
	identity.CodeWrongCloud:  "unset AZURE_AUTHORITY_HOST; the registry's name says which cloud it belongs to",

	"AADSTS7000215": "check AZURE_CLIENT_SECRET: it must be the secret's value, not its id",
	"AADSTS7000222": newSecret,
	"AADSTS7000218": newSecret,
	"AADSTS7000112": "ask who owns the application to enable it",
	"AADSTS700016":  "check AZURE_CLIENT_ID and AZURE_TENANT_ID: the application must belong to the tenant",
	"AADSTS90002":   "check AZURE_TENANT_ID, and that the tenant belongs to the registry's cloud",
	"AADSTS900382":  "check AZURE_TENANT_ID: the tenant must belong to the registry's cloud",
	"AADSTS500011":  "check the audience in the config file, or leave it out",
	"AADSTS50001":   "check the audience in the config file, or leave it out",
	"AADSTS53003":   "ask the tenant's administrator which Conditional Access policy blocks it",

	authority.CodeThrottled: "wait, then try again",
	authority.CodeTrouble:   status,
	authority.CodeOther:     traced,

	devtool.CodeAzSignedOut:   azLogin,
	devtool.CodeAzMissing:     "install Azure CLI, or put az on the PATH",
	devtool.CodeAzTimeout:     azTry,
	devtool.CodeAzFailed:      azTry,
	devtool.CodeAzOtherTenant: "run: az account show, and az account set --subscription with the right one",

	exchange.CodeUnauthorized: role,
	exchange.CodeFirewall:     "ask for the address to be allowed (az acr network-rule add), or use the registry's private endpoint",
	exchange.CodeDenied:       "ask the registry's owner; the correlation id helps them",
	exchange.CodeNotFound:     "check the registry's name: az acr show --name NAME --query loginServer",
	exchange.CodeTooLarge:     "use a service principal: the identity is in too many groups",
	exchange.CodeThrottled:    "wait, then try again",
	exchange.CodeTrouble:      status,
	exchange.CodeOther:        traced,
	exchange.CodeExpired:      "check the clock of this machine and try again",

	guard.CodeProxy:       "check HTTPS_PROXY",
	guard.CodeDNS:         network,
	guard.CodeTLS:         "a proxy may be opening TLS connections; let the system trust its certificate, or set SSL_CERT_FILE",
	guard.CodeTimeout:     network,
	guard.CodeUnreachable: network,
	guard.CodeBroken:      network,
	guard.CodeRedirect:    proxy,
	guard.CodeNotJSON:     proxy,
	guard.CodeTooLong:     proxy,
	guard.CodeStranger:    proxy,

	vault.CodeSealed:    "unlock the OS keyring and try again, or run: docker logout REGISTRY, and log in again",
	vault.CodeElsewhere: "set DOCKER_CREDENTIAL_ACR_KEYRING as it was when the login was stored, or run: docker logout REGISTRY, and log in again",
	vault.CodeKeyGone:   "run: docker logout REGISTRY, and log in again",
	vault.CodeNewer:     "install the newer version again, or run: docker logout REGISTRY, and log in again",
	vault.CodeChanged:   "try again",
	vault.CodeVault:     "give that directory to yourself alone: chmod 700, as its owner",
	vault.CodeDamaged:   "run: docker logout REGISTRY, and log in again",
}
