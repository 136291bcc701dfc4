package hint

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// codes finds the codes that the packages below give their failures.
func codes(t *testing.T) []string {
	t.Helper()
	constant := regexp.MustCompile(`(?m)^(?:const)?\s+Code[A-Z]\w*\s*= "([^"]+)"`)
	var found []string
	err := fs.WalkDir(os.DirFS("../.."), ".", func(path string, d fs.DirEntry, err error) error {
		if path == "cli" { // doctor's findings have hints of their own
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile("../../" + path)
		for _, match := range constant.FindAllSubmatch(content, -1) {
			found = append(found, string(match[1]))
		}
		return err
	})
	if err != nil || len(found) < 60 {
		t.Fatalf("%d codes found, %v", len(found), err)
	}
	return found
}

// TestEveryCodeHasAHint also holds that no hint is for a code that nobody has.
func TestEveryCodeHasAHint(t *testing.T) {
	known := codes(t)
	for _, code := range known {
		if hints[code] == "" {
			t.Errorf("%s has no hint", code)
		}
	}
	for code := range hints {
		if !slices.Contains(known, code) && !strings.HasPrefix(code, "AADSTS") {
			t.Errorf("there is a hint for %s, which nobody has", code)
		}
	}
}

// TestHintsAreOneSentence also holds that every command of ours in a hint exists,
// and is about the login that failed.
func TestHintsAreOneSentence(t *testing.T) {
	for _, table := range []map[string]string{hints, storedHints, configHints, azHints, azdHints, powerShellHints, loginHints} {
		for _, code := range slices.Sorted(maps.Keys(table)) {
			hint := table[code]
			if hint == "" || strings.ContainsAny(hint, "\n\t") || strings.HasSuffix(hint, ".") {
				t.Errorf("%s: %q", code, hint)
			}
			for _, ours := range strings.Split(hint, "docker-credential-acr ")[1:] {
				if !strings.HasPrefix(ours, "login LOGIN") && !strings.HasPrefix(ours, "logout LOGIN") && !strings.HasPrefix(ours, "login REGISTRY --anonymous") && !strings.HasPrefix(ours, "logout, with the one") && !strings.HasPrefix(ours, "unlock, and") {
					t.Errorf("%s: %q", code, hint)
				}
			}
		}
	}
}

// TestRefusalsOfEntra goes through the numbers that users meet: each has a sentence
// of its own and a thing to do. (Microsoft Learn, "Microsoft Entra authentication and
// authorization error codes".)
func TestRefusalsOfEntra(t *testing.T) {
	for _, row := range []struct {
		code           int
		sentence, hint string
	}{
		{7000215, "the client secret is wrong", "the secret's value, not its id"},
		{7000222, "the client secret has expired", "az ad app credential reset --id 7d1c"},
		{7000218, "needs a secret or another proof", "az ad app credential reset --id 7d1c"},
		{7000112, "the application is disabled", "to enable it"},
		{700016, "not known in this tenant", "check AZURE_CLIENT_ID and AZURE_TENANT_ID"},
		{90002, "the tenant does not exist", "check AZURE_TENANT_ID"},
		{900382, "belongs to another cloud", "check AZURE_TENANT_ID"},
		{50001, "the audience is not known", "the audience in the config file"},
		{500011, "the audience is not known", "the audience in the config file"},
		{70011, "the audience is not one", "the audience in the config file"},
		{50020, "does not belong to this tenant", "--tenant"},
		{50034, "does not exist in this tenant", "--tenant"},
		{50057, "the user is disabled", "to enable the user"},
		{50105, "not assigned to the application", "to assign the user"},
		{50072, "has to be set up", "docker-credential-acr login contoso.azurecr.io"},
		{50074, "multi-factor authentication is needed", "docker-credential-acr login contoso.azurecr.io"},
		{50076, "multi-factor authentication is needed", "docker-credential-acr login contoso.azurecr.io"},
		{50079, "has to be set up", "docker-credential-acr login contoso.azurecr.io"},
		{53000, "a compliant device", "which Conditional Access policy"},
		{53001, "a joined device", "which Conditional Access policy"},
		{53002, "does not allow the application", "which Conditional Access policy"},
		{53003, "blocks the sign-in", "which Conditional Access policy"},
		{530032, "a security policy", "which Conditional Access policy"},
		{65001, "consent to the application is missing", "user_impersonation"},
		{90094, "an administrator has to consent", "administrator to consent"},
		{90095, "an administrator has to consent", "administrator to consent"},
		{700024, "outside of its valid time", "check the clock"},
		{700027, "not registered", "az ad app credential reset --id 7d1c --cert"},
		{700030, "subject is not authorized", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN=1"},
		{70021, "no federated credential", "az ad app federated-credential list --id 7d1c"},
		{700211, "the token's issuer", "az ad app federated-credential list --id 7d1c"},
		{700212, "the token's audience", "az ad app federated-credential list --id 7d1c"},
		{700213, "the token's subject", "az ad app federated-credential list --id 7d1c"},
		{70043, "the sign-in has expired", "docker-credential-acr login contoso.azurecr.io"},
		{700082, "for want of use", "docker-credential-acr login contoso.azurecr.io"},
		{50132, "was revoked", "docker-credential-acr login contoso.azurecr.io"},
		{50133, "was revoked", "docker-credential-acr login contoso.azurecr.io"},
		{50173, "was revoked", "docker-credential-acr login contoso.azurecr.io"},
		{50196, "the same request too often", "a loop"},
		{70018, "the device code is not known", "try again"},
		{70019, "the device code has expired", "try again"},
		{70020, "the device code has expired", "try again"},
		{90024, "trouble for the moment", "azure.status.microsoft"},
		{90055, "trouble for the moment", "azure.status.microsoft"},
		{50033, "trouble for the moment", "azure.status.microsoft"},
		{90033, "trouble for the moment", "azure.status.microsoft"},
		{100007, "the regional endpoint", "AZURE_REGIONAL_AUTHORITY_NAME"},
	} {
		refused := &authority.Error{AADSTS: row.code, Status: 400, Correlation: "c0ffee00"}
		got := Advice(&credhelper.Error{
			Registry: "contoso.azurecr.io", Identity: "service principal 7d1c", Source: "AZURE_CLIENT_ID", Err: fmt.Errorf("signing in: %w", refused),
		})
		sentence, hint, _ := strings.Cut(got, "; hint: ")
		if !strings.Contains(sentence, row.sentence) || !strings.Contains(sentence, "correlation id c0ffee00") || !strings.Contains(hint, row.hint) {
			t.Errorf("%d: %s", row.code, got)
		}
	}
}

// TestRefusalsOfRegistries goes through what a registry answers to an exchange.
func TestRefusalsOfRegistries(t *testing.T) {
	for _, row := range []struct {
		refused        exchange.Error
		sentence, hint string
	}{
		{exchange.Error{Status: 401}, "does not let this identity in", "AcrPull (or AcrPush) on the registry, Container Registry Repository Reader (or Writer) where it uses ABAC"},
		{exchange.Error{Status: 401}, "does not let this identity in", "no config file names another audience"},
		{exchange.Error{Status: 403, Client: "203.0.113.9"}, "firewall does not let the address 203.0.113.9 in", "az acr network-rule add"},
		{exchange.Error{Status: 403, Client: "203.0.113.9"}, "firewall", "private endpoint"},
		{exchange.Error{Status: 403, Client: "203.0.113.9"}, "firewall", "--allow-trusted-services"},
		{exchange.Error{Status: 403}, "denies access", "the registry's owner"},
		{exchange.Error{Status: 404}, "does not know how to exchange tokens", "az acr show"},
		{exchange.Error{Status: 413}, "too large", "too many groups"},
		{exchange.Error{Status: 429}, "throttling", "wait"},
		{exchange.Error{Status: 503}, "trouble of its own", "azure.status.microsoft"},
		{exchange.Error{Status: 400}, "status 400", "DOCKER_CREDENTIAL_ACR_TRACE=1"},
	} {
		row.refused.Correlation = "c0ffee00"
		got := Advice(&credhelper.Error{Registry: "contoso.azurecr.io", Identity: "ada@contoso.com", Source: "a stored login", Err: &row.refused})
		sentence, hint, _ := strings.Cut(got, "; hint: ")
		if !strings.Contains(sentence, row.sentence) || !strings.Contains(sentence, "correlation id c0ffee00") || !strings.Contains(hint, row.hint) {
			t.Errorf("%d: %s", row.refused.Status, got)
		}
	}
}

func TestAdviceDependsOnWhoItIs(t *testing.T) {
	expired := func(identity, source string) error {
		return &credhelper.Error{Registry: "contoso.azurecr.io", Identity: identity, Source: source, Err: fmt.Errorf("signing in: %w", &authority.Error{AADSTS: 7000222})}
	}
	revoked := func(id identity.Identity) error {
		return &credhelper.Error{Registry: "contoso.azurecr.io", Identity: id.String(), Source: identity.StoredLogin, Err: &authority.Error{AADSTS: 700082}}
	}
	for _, row := range []struct {
		err  error
		says string
	}{
		{expired("service principal 7d1c", "AZURE_CLIENT_ID"), "az ad app credential reset --id 7d1c --append, and set AZURE_CLIENT_SECRET"},
		{expired("service principal 7d1c", "a stored login"), "run: docker-credential-acr login contoso.azurecr.io --service-principal"},
		{expired("service principal 7d1c", "the login for *.azurecr.io"), "run: docker-credential-acr login '*.azurecr.io' --service-principal"},
		{expired("Azure CLI's ada@contoso.example", "config file x"), "; hint: run: az login --service-principal"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Source: "config file x", Err: &authority.Error{AADSTS: 90002}}, "check tenant in the config file"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &authority.Error{AADSTS: 12345}}, "DOCKER_CREDENTIAL_ACR_TRACE=1"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &vault.Failure{Text: "x", Hint: exchange.CodeFirewall}}, "az acr network-rule add"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &vault.LoginError{Server: "contoso.azurecr.io", Why: errors.New("locked")}}, "docker-credential-acr logout contoso.azurecr.io"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &vault.LoginError{Server: vault.SomePattern, Why: errors.New("locked")}}, "docker-credential-acr logout PATTERN, and log in again"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: errors.New("x")}, "contoso.azurecr.io: x"},
		{revoked(identity.Identity{Kind: identity.AzureCLI, User: "ada@x"}), "run: az login"},
		{revoked(identity.Identity{Kind: identity.AzureDeveloperCLI}), "run: azd auth login"},
		{revoked(identity.Identity{Kind: identity.AzurePowerShell, User: "ada@x"}), "run: pwsh -Command Connect-AzAccount"},
		{revoked(identity.Identity{Kind: identity.User, User: "ada@x"}), "run: docker-credential-acr login contoso.azurecr.io"},
		{&credhelper.NotFoundError{}, ""},
		{errors.New("x"), "x"},
	} {
		got := Advice(row.err)
		if !strings.Contains(got, row.says) || row.says == "" && got != "" || strings.Contains(got, "\n") {
			t.Errorf("%v: %q", row.err, got)
		}
	}
}
