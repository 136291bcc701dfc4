package identity_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
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
}

func (s scene) chooser(t *testing.T) identity.Chooser {
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
	return identity.Chooser{
		Getenv: func(name string) string { return s.env[name] },
		Login: func(server string) (*identity.Login, error) {
			if l, ok := s.logins[server]; ok {
				return &l, nil
			}
			return nil, nil
		},
		UserConfig: write("user.json", s.user), MachineConfig: write("machine.json", s.machine),
		AzureDir: dir, HasAzureCLI: func() bool { return !s.withoutAzureCLI },
	}
}

var complete = map[string]string{"AZURE_CLIENT_ID": client, "AZURE_TENANT_ID": tenant, "AZURE_CLIENT_SECRET": "s"}

func profile(cloud string, isDefault bool) string {
	return fmt.Sprintf("\ufeff"+`{"installationId":"x","subscriptions":[{"isDefault":false,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"other@x"}},{"isDefault":%v,"tenantId":%q,"environmentName":%q,"user":{"name":"ada@x","type":"user"}}]}`,
		otherTenant, isDefault, tenant, cloud)
}

func config(entries string) string { return `{"registries":{` + entries + `}}` }

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
	return strings.TrimSpace(fmt.Sprintf("%s %s %s%s", id.Kind, map[string]string{tenant: "tenant", otherTenant: "otherTenant", "": "?"}[id.Tenant],
		map[string]string{client: "client", otherClient: "otherClient"}[id.ClientID], id.User))
}

func TestExactlyOneIdentityIsChosenByAVisibleRule(t *testing.T) {
	stored := map[string]identity.Login{"contoso.azurecr.io": {Kind: identity.ServicePrincipal, ClientID: otherClient, Tenant: otherTenant, Fingerprint: "f"}}
	noTenant := map[string]identity.Login{"contoso.azurecr.io": {Kind: identity.ServicePrincipal, ClientID: otherClient, Fingerprint: "f"}}
	admin := map[string]identity.Login{"contoso.azurecr.io": {Kind: identity.RegistryUser, User: "admin"}}
	sp := config(fmt.Sprintf(`"contoso.azurecr.io":{"identity":"service-principal","clientId":%q,"tenant":%q}`, client, tenant))
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
		{"its tenant from the config file", scene{logins: noTenant, user: config(fmt.Sprintf(`"*.azurecr.io":{"tenant":%q}`, tenant))}, "service-principal tenant otherClient"},
		{"not from a bad variable", scene{logins: noTenant, env: map[string]string{"AZURE_TENANT_ID": "../x"}}, "service-principal ? otherClient"},

		{"the config file before the environment", scene{env: complete, user: config(`"contoso.azurecr.io":{"identity":"anonymous"}`)}, "anonymous"},
		{"the user's file before the machine's", scene{user: config(`"*.azurecr.io":{"identity":"anonymous"}`), machine: config(`"*.azurecr.io":{"identity":"azure-cli"}`), profile: signedIn}, "anonymous"},
		{"the more specific of both", scene{user: config(`"*.azurecr.io":{"identity":"azure-cli"}`), machine: config(`"c*.azurecr.io":{"identity":"anonymous"}`), profile: signedIn}, "anonymous"},
		{"a whole name before any pattern", scene{user: config(`"contos*.azurecr.io":{"identity":"azure-cli"},"contoso.azurecr.io":{"identity":"anonymous"}`), profile: signedIn}, "anonymous"},
		{"equals", scene{user: config(`"c*.azurecr.io":{},"*o.azurecr.io":{}`)}, "error config"},
		{"another cloud's pattern", scene{user: config(`"*.azurecr.cn":{"identity":"anonymous"}`)}, "nobody"},
		{"a service principal of the file", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s"}, user: sp}, "service-principal tenant client"},
		{"without its secret", scene{user: sp}, "error config-secret"},
		{"with somebody else's secret", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": otherClient}, user: sp}, "error config-secret"},
		{"with its id in capitals", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s", "AZURE_CLIENT_ID": strings.ToUpper(client)}, user: sp}, "service-principal tenant client"},
		{"whose secret is not for other registries", scene{env: map[string]string{"AZURE_CLIENT_SECRET": "s"}, user: strings.Replace(sp, "contoso", "fabrikam", 1)}, "nobody"},
		{"azure-cli that isn't signed in", scene{user: config(`"*.azurecr.io":{"identity":"azure-cli"}`)}, "error config-az"},
		{"an entry for the audience alone", scene{env: complete, user: config(`"*.azurecr.io":{"audience":"https://management.azure.com"}`)}, "service-principal tenant client"},

		{"the environment", scene{env: complete, profile: signedIn}, "service-principal tenant client"},
		{"without a tenant", scene{env: map[string]string{"AZURE_CLIENT_ID": client, "AZURE_CLIENT_SECRET": "s"}}, "error environment"},
		{"a client id alone", scene{env: map[string]string{"AZURE_CLIENT_ID": client}, profile: signedIn}, "error environment"},
		{"a tenant from the config file", scene{env: map[string]string{"AZURE_CLIENT_ID": client, "AZURE_CLIENT_SECRET": "s"}, user: config(fmt.Sprintf(`"*.azurecr.io":{"tenant":%q}`, tenant))}, "service-principal tenant client"},
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

func TestConfigFilesThatAreRefused(t *testing.T) {
	for _, row := range []struct{ content, says string }{
		{`{"registry":{}}`, `unknown field "registry"`},
		{config(`"contoso.azurecr.io":{"identity":"azure-cli","secret":"y"}`), `unknown field "secret"`},
		{config(`"contoso.azurecr.io":{"identity":"managed-identity"}`), `no identity "managed-identity"`},
		{config(`"contoso.azurecr.io":{"identity":"service-principal"}`), "needs a GUID"},
		{config(`"contoso.azurecr.io":{"identity":"azure-cli","clientId":"x"}`), "clientId is of use to a service principal only"},
		{config(`"contoso.azurecr.io":{"tenant":"common"}`), `tenant "common"`},
		{config(`"contoso.azurecr.io":{"tenant":"a b.c"}`), `tenant "a b.c"`},
		{config(`"contoso.azurecr.io":{"audience":"http://x"}`), `audience "http://x"`},
		{config(`"contoso.azurecr.io":{"audience":"https://x y"}`), `audience`},
		{config(`"*":{}`), `"*" names no Azure container registry`},
		{config(`"*.io":{}`), `"*.io" names no Azure container registry`},
		{config(`"Contoso.azurecr.io":{}`), `"Contoso.azurecr.io" names no`},
		{`{} {}`, "behind the end"},
		{`{"registries":{}}}`, "behind the end"},
		{config(`"contoso.azurecr.io":{},"contoso.azurecr.io":{}`), `"contoso.azurecr.io" stands twice`},
		{`{"registries":{},"registries":{}}`, `"registries" stands twice`},
		{config(`"a.b.azurecr.io":{}`), `"a.b.azurecr.io" names no`},
		{``, "it is empty"},
		{strings.Repeat(" ", 2<<20), "not a regular file of at most"},
		{`[]`, "something else where a JSON object should be"},
		{`null`, "something else where a JSON object should be"},
		{config(`"contoso.azurecr.io":null`), "something else where a JSON object should be"},
		{config(`"contoso.azurecr.io":{"identity":7}`), "identity is not a string"},
		{config(`"contoso.azurecr.io":{"Identity":"azure-cli"}`), `unknown field "Identity"`},
		{config(`"contoso.azurecr.io":{"identity":"azure-cli","identity":"anonymous"}`), `"identity" stands twice`},
		{`{"registries":`, "ends in the middle"},
	} {
		path := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(path, []byte(row.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := identity.ReadConfig(path); err == nil || !strings.Contains(err.Error(), row.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", row.content, err)
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
