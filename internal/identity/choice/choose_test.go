package choice_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/choice"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

const (
	tenant      = "11111111-2222-3333-4444-555555555555"
	otherTenant = "99999999-2222-3333-4444-555555555555"
	client      = "7d1c0000-0000-4000-8000-00000000abcd"
	otherClient = "99990000-0000-4000-8000-00000000abcd"
)

// A scene is what a chooser looks at.
type scene struct {
	env             map[string]string
	logins          map[string]identity.Login
	user, machine   string // config files
	profile         string // azureProfile.json
	withoutAzureCLI bool
	files           map[string]string // DIR in variables and configs stands for where they lie
	vm              bool
}

func (s scene) chooser(t *testing.T) choice.Chooser {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if content != "" {
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return path
	}
	write("azureProfile.json", s.profile)
	for name, content := range s.files {
		write(name, content)
	}
	in := func(text string) string { return strings.ReplaceAll(text, "DIR", filepath.ToSlash(dir)) }
	return choice.Chooser{
		Getenv: func(name string) string { return in(s.env[name]) },
		Login: func(server string) (*identity.Login, error) {
			if l, ok := s.logins[server]; ok {
				return &l, nil
			}
			return nil, nil
		},
		Patterns: func() (patterns []string, _ error) {
			for server := range s.logins {
				if strings.Contains(server, "*") {
					patterns = append(patterns, server)
				}
			}
			return patterns, nil
		},
		Config:   config.Files{User: write("user.json", in(s.user)), Machine: write("machine.json", in(s.machine))},
		AzureDir: dir, HasAzureCLI: func() bool { return !s.withoutAzureCLI },
		OnAzureVM: func() bool { return s.vm }, Exists: func(string) bool { return false },
	}
}

var complete = map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": "s"}

func profile(cloud string, isDefault bool) string {
	return fmt.Sprintf("\ufeff"+`{"installationId":"x","subscriptions":[{"isDefault":false,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"other@x"}},{"isDefault":%v,"tenantId":%q,"environmentName":%q,"user":{"name":"ada@x","type":"user"}}]}`,
		otherTenant, isDefault, tenant, cloud)
}

// entries is a config file with these entries.
func entries(list string) string { return `{"registries":{` + list + `}}` }

// describe says in a few words who was chosen.
func describe(id identity.Identity, err error) string {
	var wrong *identity.Error
	switch {
	case errors.As(err, &wrong):
		return "error " + wrong.Code()
	case err != nil:
		return "error"
	case id.Kind == identity.None:
		return "nobody"
	case id.Kind == identity.Anonymous:
		return "anonymous"
	}
	if id.Kind == identity.ManagedIdentity {
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", id.Kind, id.Endpoint, map[string]string{client: "client", otherClient: "otherClient"}[id.ClientID]))
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s%s", id.Kind, map[string]string{tenant: "tenant", otherTenant: "otherTenant", "": "?"}[id.Tenant],
		map[string]string{client: "client", otherClient: "otherClient"}[id.ClientID], id.User))
}

func TestExactlyOneIdentityIsChosenByAVisibleRule(t *testing.T) {
	stored := map[string]identity.Login{"contoso.azurecr.io": {Kind: identity.ServicePrincipal, ClientID: otherClient, Tenant: otherTenant, Fingerprint: "f"}}
	noTenant := map[string]identity.Login{"contoso.azurecr.io": {Kind: identity.ServicePrincipal, ClientID: otherClient, Fingerprint: "f"}}
	admin := map[string]identity.Login{"contoso.azurecr.io": {Kind: identity.RegistryUser, User: "admin"}}
	sp := entries(fmt.Sprintf(`"contoso.azurecr.io":{"identity":"service-principal","clientId":%q,"tenant":%q}`, client, tenant))
	signedIn := profile("AzureCloud", true)

	for _, row := range []struct {
		what  string
		scene scene
		want  string
	}{
		{"nothing at all", scene{}, "nobody"},
		{"a login before all else", scene{logins: stored, env: complete, user: sp, profile: signedIn}, "service-principal otherTenant otherClient"},
		{"a registry's own user", scene{logins: admin, env: complete}, "registry-user ? admin"},
		{"a login of another host", scene{logins: map[string]identity.Login{"fabrikam.azurecr.io": {}}}, "nobody"},
		{"a login without a tenant", scene{logins: noTenant}, "service-principal ? otherClient"},
		{"its tenant from the environment", scene{logins: noTenant, env: map[string]string{"AZURE_TENANT_ID": tenant}}, "service-principal tenant otherClient"},
		{"its tenant from the config file", scene{logins: noTenant, user: entries(fmt.Sprintf(`"*.azurecr.io":{"tenant":%q}`, tenant))}, "service-principal tenant otherClient"},
		{"not from a bad variable", scene{logins: noTenant, env: map[string]string{"AZURE_TENANT_ID": "../x"}}, "service-principal ? otherClient"},

		{"the config file before the environment", scene{env: complete, user: entries(`"contoso.azurecr.io":{"identity":"anonymous"}`)}, "anonymous"},
		{"the user's file before the machine's", scene{user: entries(`"*.azurecr.io":{"identity":"anonymous"}`), machine: entries(`"*.azurecr.io":{"identity":"azure-cli"}`), profile: signedIn}, "anonymous"},
		{"the more specific of both", scene{user: entries(`"*.azurecr.io":{"identity":"azure-cli"}`), machine: entries(`"c*.azurecr.io":{"identity":"anonymous"}`), profile: signedIn}, "anonymous"},
		{"a whole name before any pattern", scene{user: entries(`"contos*.azurecr.io":{"identity":"azure-cli"},"contoso.azurecr.io":{"identity":"anonymous"}`), profile: signedIn}, "anonymous"},
		{"equals", scene{user: entries(`"c*.azurecr.io":{},"*o.azurecr.io":{}`)}, "error config"},
		{"another cloud's pattern", scene{user: entries(`"*.azurecr.cn":{"identity":"anonymous"}`)}, "nobody"},
		{"a service principal of the file", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s"}, user: sp}, "service-principal tenant client"},
		{"without its secret", scene{user: sp}, "error config-proof"},
		{"with somebody else's secret", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": otherClient}, user: sp}, "error config-proof"},
		{"with its id in capitals", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": strings.ToUpper(client)}, user: sp}, "service-principal tenant client"},
		{"whose secret is not for other registries", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s"}, user: strings.Replace(sp, "contoso", "fabrikam", 1)}, "nobody"},
		{"azure-cli that isn't signed in", scene{user: entries(`"*.azurecr.io":{"identity":"azure-cli"}`)}, "error config-az"},
		{"an entry for the audience alone", scene{env: complete, user: entries(`"*.azurecr.io":{"audience":"https://management.azure.com"}`)}, "service-principal tenant client"},

		{"the environment", scene{env: complete, profile: signedIn}, "service-principal tenant client"},
		{"without a tenant", scene{env: map[string]string{"AZURE_CLIENT_ID": client, "AZURE_CLIENT_SECRET": "s"}}, "error environment"},
		{"a client id alone", scene{env: map[string]string{"AZURE_CLIENT_ID": client}, profile: signedIn}, "error environment"},
		{"a tenant from the config file", scene{env: map[string]string{"AZURE_CLIENT_ID": client, "AZURE_CLIENT_SECRET": "s"}, user: entries(fmt.Sprintf(`"*.azurecr.io":{"tenant":%q}`, tenant))}, "service-principal tenant client"},
		{"a client id that is none", scene{env: map[string]string{"AZURE_CLIENT_ID": "myapp", "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": "s"}}, "error variable"},
		{"a tenant alone", scene{env: map[string]string{"AZURE_TENANT_ID": tenant}}, "nobody"},

		{"Azure CLI", scene{profile: signedIn}, "azure-cli tenant ada@x"},
		{"in another tenant than its default", scene{profile: signedIn, env: map[string]string{"AZURE_TENANT_ID": otherTenant}}, "azure-cli otherTenant ada@x"},
		{"not installed", scene{profile: signedIn, withoutAzureCLI: true}, "nobody"},
		{"without a default subscription", scene{profile: profile("AzureCloud", false)}, "nobody"},
		{"in another cloud", scene{profile: profile("AzureChinaCloud", true)}, "nobody"},
		{"with a profile that isn't JSON", scene{profile: "x"}, "nobody"},
	} {
		host, err := registry.ParseHost("contoso.azurecr.io")
		if err != nil {
			t.Fatal(err)
		}
		id, err := row.scene.chooser(t).For(host)
		if got := describe(id, err); got != row.want {
			t.Errorf("%s: %s (%v), want %s", row.what, got, err, row.want)
		}
		if err == nil && id.Kind != identity.None && id.Source == "" {
			t.Errorf("%s: the choice doesn't say where it came from", row.what)
		}
	}
}

func TestAFingerprintFollowsTheSecret(t *testing.T) {
	host, _ := registry.ParseHost("contoso.azurecr.io")
	seen := map[string]string{}
	for _, value := range []string{"one", "two"} {
		env := map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": value}
		id, err := scene{env: env}.chooser(t).For(host)
		if err != nil || strings.Contains(id.Fingerprint, value) {
			t.Fatalf("%q, %v", id.Fingerprint, err)
		}
		seen[id.Fingerprint] = value
	}
	if len(seen) != 2 {
		t.Error("two secrets share a fingerprint")
	}
}

func TestAuthoritiesOfOtherCloudsAreRefused(t *testing.T) {
	for _, row := range []struct{ host, authority, want string }{
		{"contoso.azurecr.io", "https://login.microsoftonline.com/", "service-principal tenant client"},
		{"contoso.azurecr.io", "https://LOGIN.windows.net", "service-principal tenant client"},
		{"contoso.azurecr.cn", "https://login.chinacloudapi.cn", "service-principal tenant client"},
		{"contoso.azurecr.cn", "https://login.microsoftonline.com", "error wrong-cloud"},
		{"contoso.azurecr.io", "https://login.microsoftonline.us", "error wrong-cloud"},
		{"contoso.azurecr.io", "https://evil.example", "error wrong-cloud"},
		{"contoso.azurecr.io", "https://user@login.microsoftonline.com", "error variable"},
		{"contoso.azurecr.io", "https://login.microsoftonline.com:444", "error variable"},
		{"contoso.azurecr.io", "https://login.microsoftonline.com/tenant", "error variable"},
		{"contoso.azurecr.io", "http://login.microsoftonline.com", "error variable"},
		{"contoso.azurecr.io", "login.microsoftonline.com", "error variable"},
	} {
		env := map[string]string{"AZURE_AUTHORITY_HOST": row.authority}
		for name, value := range complete {
			env[name] = value
		}
		host, err := registry.ParseHost(row.host)
		if err != nil {
			t.Fatal(err)
		}
		id, err := scene{env: env}.chooser(t).For(host)
		if got := describe(id, err); got != row.want {
			t.Errorf("%s for %s: %s (%v), want %s", row.authority, row.host, got, err, row.want)
		}
	}
}

// TestManagedIdentitiesOfAzureCLIDiffer has az call two of them by one name.
func TestManagedIdentitiesOfAzureCLIDiffer(t *testing.T) {
	host, _ := registry.ParseHost("contoso.azurecr.io")
	var seen []identity.Identity
	for _, assigned := range []string{"MSIClient-aaaa", "MSIClient-bbbb"} {
		s := scene{profile: fmt.Sprintf(`{"subscriptions":[{"isDefault":true,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"userAssignedIdentity","type":"servicePrincipal","assignedIdentityInfo":%q}}]}`, tenant, assigned)}
		id, err := s.chooser(t).For(host)
		if err != nil || id.User != assigned {
			t.Fatalf("%+v, %v", id, err)
		}
		seen = append(seen, id)
	}
	if seen[0].Same(seen[1]) {
		t.Error("they are the same")
	}
}

// jwt is an assertion as far as it can be read without verifying it.
func jwt(subject string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(`{"iss":"https://issuer.example","sub":"`+subject+`","aud":"api://AzureADTokenExchange"}`)) + ".c2ln"
}

func TestEveryProofOfTheEnvironment(t *testing.T) {
	whose := map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant}
	terraform := map[string]string{"ARM_CLIENT_ID": client, "ARM_TENANT_ID": tenant}
	with := func(base map[string]string, pairs ...string) map[string]string {
		env := maps.Clone(base)
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	files := map[string]string{"token": jwt("pod") + "\n", "cert.pem": "pem", "garbage": "x"}
	gitHub := []string{"ACTIONS_ID_TOKEN_REQUEST_URL", "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"}
	pipelines := []string{"SYSTEM_OIDCREQUESTURI", "https://x", "SYSTEM_ACCESSTOKEN", "t"}
	azureTask := append(pipelines, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", otherClient)
	none := map[string]string{}
	for _, row := range []struct {
		what string
		env  map[string]string
		vm   bool
		want string
	}{
		{"a certificate", with(whose, "AZURE_CLIENT_CERTIFICATE_PATH", "DIR/cert.pem"), false, "service-principal tenant client"},
		{"one that isn't there", with(whose, "AZURE_CLIENT_CERTIFICATE_PATH", "DIR/none"), false, "error variable"},
		{"a secret before a certificate", with(complete, "AZURE_CLIENT_CERTIFICATE_PATH", "DIR/none"), false, "service-principal tenant client"},
		{"a pod's token", with(whose, "AZURE_FEDERATED_TOKEN_FILE", "DIR/token"), false, "workload-identity tenant client"},
		{"a file that holds none", with(whose, "AZURE_FEDERATED_TOKEN_FILE", "DIR/garbage"), false, "error variable"},
		{"a relative path", with(whose, "AZURE_FEDERATED_TOKEN_FILE", "token"), false, "error variable"},
		{"a pod's token without a client", map[string]string{"AZURE_TENANT_ID": tenant, "AZURE_FEDERATED_TOKEN_FILE": "DIR/token"}, false, "error environment"},
		{"an inline token", with(whose, "AZURE_FEDERATED_TOKEN", jwt("ci")), false, "federated-token tenant client"},
		{"GitHub Actions", with(whose, gitHub...), false, "github-actions tenant client"},
		{"GitHub Actions for nobody", with(none, gitHub...), false, "nobody"},
		{"GitHub Actions without the permission", with(whose, "GITHUB_ACTIONS", "true"), false, "error github-permission"},
		{"Azure Pipelines", with(none, append(azureTask, "AZURESUBSCRIPTION_CLIENT_ID", client, "AZURESUBSCRIPTION_TENANT_ID", tenant)...), false, "azure-pipelines tenant client"},
		{"Azure Pipelines as another application", with(whose, append(azureTask, "AZURESUBSCRIPTION_CLIENT_ID", otherClient)...), false, "azure-pipelines tenant client"},
		{"Azure Pipelines without a mapped token", with(whose, "SYSTEM_OIDCREQUESTURI", "https://x"), false, "error pipelines-token"},
		{"Azure Pipelines for nobody", with(none, pipelines...), false, "nobody"},

		{"Terraform's secret", with(terraform, "ARM_CLIENT_SECRET", "s"), false, "service-principal tenant client"},
		{"Terraform's half", with(none, "ARM_CLIENT_ID", client), false, "error environment"},
		{"families aren't mixed", with(whose, "ARM_CLIENT_SECRET", "s"), false, "error environment"},
		{"Azure's family first", with(complete, "ARM_CLIENT_ID", otherClient, "ARM_CLIENT_SECRET", "s"), false, "service-principal tenant client"},
		{"Terraform's token that isn't to be used", with(terraform, "ARM_OIDC_TOKEN", jwt("ci")), false, "error environment"},
		{"Terraform's token", with(terraform, "ARM_OIDC_TOKEN", jwt("ci"), "ARM_USE_OIDC", "true"), false, "federated-token tenant client"},
		{"Terraform's token file", with(terraform, "ARM_OIDC_TOKEN_FILE_PATH", "DIR/token", "ARM_USE_OIDC", "1"), false, "workload-identity tenant client"},
		{"Terraform in GitHub Actions", with(terraform, append(gitHub, "ARM_USE_OIDC", "true")...), false, "github-actions tenant client"},
		{"Terraform in Azure Pipelines", with(terraform, append(pipelines, "ARM_USE_OIDC", "true", "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID", otherClient)...), false, "azure-pipelines tenant client"},
		{"Terraform in AKS", with(terraform, "ARM_USE_AKS_WORKLOAD_IDENTITY", "true", "AZURE_FEDERATED_TOKEN_FILE", "DIR/token"), false, "workload-identity tenant client"},
		{"Terraform's certificate", with(terraform, "ARM_CLIENT_CERTIFICATE", "cGZ4"), false, "service-principal tenant client"},
		{"Terraform's certificate that isn't base64", with(terraform, "ARM_CLIENT_CERTIFICATE", "?"), false, "error variable"},
		{"Terraform on a machine", with(none, "ARM_USE_MSI", "true"), false, "managed-identity virtual machine"},
		{"Terraform in another cloud", with(terraform, "ARM_CLIENT_SECRET", "s", "ARM_ENVIRONMENT", "china"), false, "error wrong-cloud"},
		{"Terraform in this one", with(terraform, "ARM_CLIENT_SECRET", "s", "ARM_ENVIRONMENT", "Public"), false, "service-principal tenant client"},

		{"App Service", with(none, "IDENTITY_ENDPOINT", "http://127.0.0.1/msi", "IDENTITY_HEADER", "h"), false, "managed-identity App Service"},
		{"an identity of App Service's", with(none, "IDENTITY_ENDPOINT", "http://127.0.0.1/msi", "IDENTITY_HEADER", "h", "AZURE_CLIENT_ID", client), false, "managed-identity App Service client"},
		{"a secret before App Service", with(complete, "IDENTITY_ENDPOINT", "http://127.0.0.1/msi", "IDENTITY_HEADER", "h"), false, "service-principal tenant client"},
		{"a machine of Azure's", none, true, "managed-identity virtual machine"},
		{"an identity of the machine's", with(none, "AZURE_CLIENT_ID", client), true, "managed-identity virtual machine client"},
		{"one whose id is none", with(none, "AZURE_CLIENT_ID", "myapp"), true, "error variable"},
		{"a runner that GitHub lends, without the permission", with(whose, "GITHUB_ACTIONS", "true", "RUNNER_ENVIRONMENT", "github-hosted"), true, "error github-permission"},
		{"a runner that GitHub lends, for nobody", with(none, "GITHUB_ACTIONS", "true", "RUNNER_ENVIRONMENT", "github-hosted"), true, "nobody"},
		{"a runner of one's own", with(whose, "GITHUB_ACTIONS", "true", "RUNNER_ENVIRONMENT", "self-hosted"), true, "managed-identity virtual machine client"},
		{"a pod on a machine of Azure's", with(none, "KUBERNETES_SERVICE_HOST", "10.0.0.1"), true, "nobody"},
		{"a pod that names an identity", with(none, "KUBERNETES_SERVICE_HOST", "10.0.0.1", "AZURE_CLIENT_ID", client), true, "managed-identity virtual machine client"},
	} {
		host, _ := registry.ParseHost("contoso.azurecr.io")
		id, err := scene{env: row.env, files: files, vm: row.vm}.chooser(t).For(host)
		if got := describe(id, err); got != row.want {
			t.Errorf("%s: %s (%v), want %s", row.what, got, err, row.want)
		}
		if err == nil && id.Kind != identity.None && (id.Source == "" || id.Fingerprint == "") {
			t.Errorf("%s: source %q, fingerprint %q", row.what, id.Source, id.Fingerprint)
		}
	}
}

func TestEveryIdentityOfTheConfigFile(t *testing.T) {
	env := map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant}
	proofs := map[string]string{
		"AZURE_FEDERATED_TOKEN": jwt("a"), "MY_TOKEN": jwt("b"), "AZURE_FEDERATED_TOKEN_FILE": "DIR/token",
		"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
		"SYSTEM_OIDCREQUESTURI": "https://x", "SYSTEM_ACCESSTOKEN": "t", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": otherClient,
	}
	maps.Copy(proofs, env)
	for _, row := range []struct{ entry, without, with string }{
		{`"identity":"workload-identity"`, "error config-proof", "workload-identity tenant client"},
		{`"identity":"workload-identity","tokenFile":"DIR/token","clientId":"` + otherClient + `"`, "workload-identity tenant otherClient", "workload-identity tenant otherClient"},
		{`"identity":"federated-token"`, "error config-proof", "federated-token tenant client"},
		{`"identity":"federated-token","tokenVariable":"MY_TOKEN"`, "error config-proof", "federated-token tenant client"},
		{`"identity":"federated-token","tokenFile":"DIR/token"`, "federated-token tenant client", "federated-token tenant client"},
		{`"identity":"federated-token","managedIdentity":"` + otherClient + `"`, "federated-token tenant client", "federated-token tenant client"},
		{`"identity":"github-actions","tenant":"` + otherTenant + `"`, "error github-permission", "github-actions otherTenant client"},
		{`"identity":"azure-pipelines"`, "error pipelines-token", "azure-pipelines tenant client"},
		{`"identity":"azure-pipelines","serviceConnection":"` + otherClient + `"`, "error pipelines-token", "azure-pipelines tenant client"},
		{`"identity":"service-principal","clientId":"` + client + `","certificate":"DIR/cert.pem"`, "service-principal tenant client", "service-principal tenant client"},
		{`"identity":"managed-identity","clientId":"` + otherClient + `"`, "managed-identity virtual machine otherClient", "managed-identity virtual machine otherClient"},
		{`"identity":"user","clientId":"azure-cli"`, "error signed-out", "error signed-out"},
	} {
		host, _ := registry.ParseHost("contoso.azurecr.io")
		for _, v := range []struct {
			env  map[string]string
			want string
		}{{env, row.without}, {proofs, row.with}} {
			s := scene{env: v.env, user: entries(`"*.azurecr.io":{` + row.entry + `}`), files: map[string]string{"token": jwt("pod"), "cert.pem": "pem"}}
			id, err := s.chooser(t).For(host)
			if got := describe(id, err); got != v.want {
				t.Errorf("%s: %s (%v), want %s", row.entry, got, err, v.want)
			}
		}
	}
}

func TestLoginsByPattern(t *testing.T) {
	person := func(name string) identity.Login {
		return identity.Login{Kind: identity.User, User: name, Tenant: tenant, Fingerprint: "f"}
	}
	logins := map[string]identity.Login{"*.azurecr.io": person("ada@x"), "con*.azurecr.io": person("grace@x"), "fabrikam.azurecr.io": person("joan@x")}
	for _, row := range []struct {
		host, user, want string
	}{
		{"contoso.azurecr.io", "", "user tenant grace@x"},
		{"tailspin.azurecr.io", "", "user tenant ada@x"},
		{"tailspin.westeurope.geo.azurecr.io", "", "user tenant ada@x"},
		{"fabrikam.azurecr.io", entries(`"fabrikam.azurecr.io":{"identity":"anonymous"}`), "user tenant joan@x"}, // a login wins a tie
		{"contoso.azurecr.cn", "", "nobody"},
		{"tailspin.azurecr.io", entries(`"tailspin.azurecr.io":{"identity":"anonymous"}`), "anonymous"},
		{"tailspin.azurecr.io", entries(`"*.azurecr.io":{"identity":"anonymous"}`), "user tenant ada@x"},
		{"contoso.azurecr.io", entries(`"conto*.azurecr.io":{"identity":"anonymous"}`), "anonymous"},
		{"contoso.azurecr.io", entries(`"contoso.azurecr.io":{"audience":"https://management.azure.com"}`), "user tenant grace@x"},
	} {
		host, _ := registry.ParseHost(row.host)
		id, err := scene{logins: logins, user: row.user, env: complete}.chooser(t).For(host)
		if row.want == "nobody" && id.Kind == identity.ServicePrincipal {
			continue // the environment, as for any other registry
		}
		if got := describe(id, err); got != row.want {
			t.Errorf("%s with %s: %s (%v), want %s", row.host, row.user, got, err, row.want)
		}
	}
	logins["*oso.azurecr.io"] = person("carol@x")
	host, _ := registry.ParseHost("contoso.azurecr.io")
	if id, err := (scene{logins: logins}).chooser(t).For(host); describe(id, err) != "error login-patterns" {
		t.Errorf("equals: %s, %v", describe(id, err), err)
	}
}

// TestLoginsWithoutASecret are as config entries: they only say who to be.
func TestLoginsWithoutASecret(t *testing.T) {
	for _, row := range []struct {
		login identity.Login
		want  string
	}{
		{identity.Login{Kind: identity.Anonymous}, "anonymous"},
		{identity.Login{Kind: identity.ManagedIdentity, ClientID: client}, "managed-identity virtual machine client"},
		{identity.Login{Kind: identity.FederatedToken, ClientID: client, Tenant: tenant, TokenFile: "DIR/token"}, "federated-token tenant client"},
		{identity.Login{Kind: identity.AzureCLI}, "azure-cli tenant ada@x"},
	} {
		s := scene{profile: profile("AzureCloud", true), files: map[string]string{"token": jwt("x")}}
		c := s.chooser(t)
		row.login.TokenFile = strings.ReplaceAll(row.login.TokenFile, "DIR", filepath.ToSlash(c.AzureDir))
		c.Login = func(string) (*identity.Login, error) { return &row.login, nil }
		host, _ := registry.ParseHost("contoso.azurecr.io")
		id, err := c.For(host)
		if got := describe(id, err); got != row.want || id.Source != "a stored login" || id.Login != nil {
			t.Errorf("%+v: %s from %q (%v), want %s", row.login, got, id.Source, err, row.want)
		}
	}
}

func TestCustomCloudsHaveTheirOwnAudience(t *testing.T) {
	const clouds = `"clouds":{"*.azurecr.contoso.local":{"authority":"https://login.contoso.local","audience":"https://acr.contoso.local"}}`
	for _, row := range []struct{ content, want string }{
		{`{` + clouds + `}`, "https://acr.contoso.local"},
		{`{` + clouds + `,"registries":{"*.azurecr.contoso.local":{"audience":"https://other.contoso.local"}}}`, "https://other.contoso.local"},
	} {
		c := scene{env: complete, user: row.content}.chooser(t)
		custom, err := c.Config.Clouds()
		if err != nil {
			t.Fatal(err)
		}
		host, err := custom.ParseHost("app.azurecr.contoso.local")
		if err != nil {
			t.Fatal(err)
		}
		id, err := c.For(host)
		if err != nil || id.Audience != row.want || host.Cloud().Authority != "login.contoso.local" {
			t.Errorf("audience %q at %s, %v", id.Audience, host.Cloud().Authority, err)
		}
	}
}

// TestTwoJobsAreNeverTheSame has two jobs of one agent for every kind of identity,
// which differ in nothing but what earns their tokens. Neither gets the other's,
// nor does a job that only knows a client id.
func TestTwoJobsAreNeverTheSame(t *testing.T) {
	whose := map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant}
	with := func(pairs ...string) scene {
		s := scene{env: maps.Clone(whose), files: map[string]string{
			"one": jwt("one"), "two": jwt("two"), "one.pem": "one", "two.pem": "two",
		}}
		for i := 0; i < len(pairs); i += 2 {
			s.env[pairs[i]] = pairs[i+1]
		}
		return s
	}
	machine := func(pairs ...string) scene {
		s := with(pairs...)
		s.vm = true
		delete(s.env, "AZURE_TENANT_ID")
		return s
	}
	gitHub := func(token string) scene {
		return with("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", token)
	}
	pipelines := func(token, connection string) scene {
		return with("SYSTEM_OIDCREQUESTURI", "https://x", "SYSTEM_ACCESSTOKEN", token, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", connection)
	}
	login := func(l identity.Login) scene { return scene{logins: map[string]identity.Login{"contoso.azurecr.io": l}} }
	entry := func(fields string) scene { return scene{user: entries(`"*.azurecr.io":{` + fields + `}`)} }
	for _, row := range []struct {
		what     string
		one, two scene
	}{
		{"secrets", with("AZURE_CLIENT_SECRET", "one"), with("AZURE_CLIENT_SECRET", "two")},
		{"applications", with("AZURE_CLIENT_SECRET", "s"), with("AZURE_CLIENT_SECRET", "s", "AZURE_CLIENT_ID", otherClient)},
		{"tenants", with("AZURE_CLIENT_SECRET", "s"), with("AZURE_CLIENT_SECRET", "s", "AZURE_TENANT_ID", otherTenant)},
		{"certificates", with("AZURE_CLIENT_CERTIFICATE_PATH", "DIR/one.pem"), with("AZURE_CLIENT_CERTIFICATE_PATH", "DIR/two.pem")},
		{"a certificate and a secret", with("AZURE_CLIENT_CERTIFICATE_PATH", "DIR/one.pem"), with("AZURE_CLIENT_SECRET", "one")},
		{"service accounts", with("AZURE_FEDERATED_TOKEN_FILE", "DIR/one"), with("AZURE_FEDERATED_TOKEN_FILE", "DIR/two")},
		{"inline tokens", with("AZURE_FEDERATED_TOKEN", jwt("one")), with("AZURE_FEDERATED_TOKEN", jwt("two"))},
		{"jobs of GitHub's", gitHub("one"), gitHub("two")},
		{"jobs of Azure Pipelines'", pipelines("one", client), pipelines("two", client)},
		{"service connections", pipelines("one", client), pipelines("one", otherClient)},
		{"a job of GitHub's and one of Azure Pipelines'", gitHub("one"), pipelines("one", client)},
		{"managed identities", machine(), machine("AZURE_CLIENT_ID", otherClient)},
		{
			"hosted applications", machine("IDENTITY_ENDPOINT", "http://127.0.0.1/x", "IDENTITY_HEADER", "one"),
			machine("IDENTITY_ENDPOINT", "http://127.0.0.1/x", "IDENTITY_HEADER", "two"),
		},
		{
			"managed identities by object id", entry(`"identity":"managed-identity","objectId":"` + client + `"`),
			entry(`"identity":"managed-identity","objectId":"` + otherClient + `"`),
		},
		{
			"identities that vouch", entry(`"identity":"federated-token","clientId":"` + client + `","tenant":"` + tenant + `","managedIdentity":"` + client + `"`),
			entry(`"identity":"federated-token","clientId":"` + client + `","tenant":"` + tenant + `","managedIdentity":"` + otherClient + `"`),
		},
		{
			"people", login(identity.Login{Kind: identity.User, User: "ada@x", ClientID: client, Fingerprint: "one"}),
			login(identity.Login{Kind: identity.User, User: "grace@x", ClientID: client, Fingerprint: "two"}),
		},
		{
			"the same person twice", login(identity.Login{Kind: identity.User, User: "ada@x", ClientID: client, Fingerprint: "one"}),
			login(identity.Login{Kind: identity.User, User: "ada@x", ClientID: client, Fingerprint: "two"}),
		},
		{
			"audiences",
			scene{env: complete},
			scene{env: complete, user: entries(`"*.azurecr.io":{"audience":"https://management.azure.com"}`)},
		},
	} {
		host, _ := registry.ParseHost("contoso.azurecr.io")
		one, err := row.one.chooser(t).For(host)
		two, errTwo := row.two.chooser(t).For(host)
		if err != nil || errTwo != nil || one.Kind == identity.None || two.Kind == identity.None {
			t.Errorf("%s: %v, %v", row.what, err, errTwo)
			continue
		}
		if one.Same(two) {
			t.Errorf("%s are the same: %+v", row.what, one)
		}
		onlyName := scene{env: map[string]string{"AZURE_CLIENT_ID": one.ClientID, "AZURE_TENANT_ID": tenant}}
		if id, err := onlyName.chooser(t).For(host); err == nil && id.Same(one) {
			t.Errorf("%s: a client id alone will do", row.what)
		}
	}
}
