package selection_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

const (
	tenant      = "11111111-2222-3333-4444-555555555555"
	otherTenant = "99999999-2222-3333-4444-555555555555"
	client      = "7d1c0000-0000-4000-8000-00000000abcd"
	otherClient = "99990000-0000-4000-8000-00000000abcd"

	management = "https://management.azure.com" // an audience other than the default
)

// shorthands are what tables may write as $NAME. ${jwt NAME} is an assertion of that subject.
var shorthands = map[string]string{
	"tenant": tenant, "otherTenant": otherTenant, "client": client, "otherClient": otherClient, "management": management,

	// Environments: an application without a credential, with a secret, in CI, …
	"app":        "AZURE_CLIENT_ID=$client, AZURE_TENANT_ID=$tenant",
	"secret":     "$app, AZURE_CLIENT_SECRET=s",
	"arm":        "ARM_CLIENT_ID=$client, ARM_TENANT_ID=$tenant",
	"gitHub":     "ACTIONS_ID_TOKEN_REQUEST_URL=https://x, ACTIONS_ID_TOKEN_REQUEST_TOKEN=t",
	"pipelines":  "SYSTEM_OIDCREQUESTURI=https://x, SYSTEM_ACCESSTOKEN=t",
	"task":       "$pipelines, AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=$otherClient",
	"appService": "IDENTITY_ENDPOINT=http://127.0.0.1/msi, IDENTITY_HEADER=h",

	// Entries of config files.
	"sp":        "identity=service-principal, clientId=$client, tenant=$tenant",
	"anonymous": "identity=anonymous",
	"azureCLI":  "identity=azure-cli",
}

func expand(text string) string {
	return os.Expand(text, func(name string) string {
		if subject, ok := strings.CutPrefix(name, "jwt "); ok {
			return jwt(subject)
		}
		value, ok := shorthands[name]
		if !ok {
			panic("unknown shorthand " + name)
		}
		return expand(value)
	})
}

// jwt is an assertion that can be read without verifying it.
func jwt(subject string) string { return jwtWith(`"sub":"` + subject + `"`) }

func jwtWith(claims string) string {
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	all := `{"iss":"https://issuer.example","aud":"api://AzureADTokenExchange",` + claims + `}`
	return encode(`{"alg":"RS256"}`) + "." + encode(all) + ".c2ln"
}

// vars reads "NAME=VALUE, NAME=VALUE"; of two values the last one counts.
func vars(text string) map[string]string {
	values := map[string]string{}
	for pair := range strings.SplitSeq(expand(text), ", ") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = value
		}
	}
	return values
}

// configFile reads "PATTERN: NAME=VALUE, …; PATTERN: …". Other texts are JSON or "" already.
func configFile(text string) string {
	if text == "" || strings.HasPrefix(text, "{") {
		return text
	}
	entries := map[string]map[string]string{}
	for entry := range strings.SplitSeq(text, "; ") {
		pattern, fields, _ := strings.Cut(entry, ": ")
		entries[pattern] = vars(fields)
	}
	content, err := json.Marshal(map[string]any{"registries": entries})
	if err != nil {
		panic(err)
	}
	return string(content)
}

// A setting is what a Selector looks at. DIR in it is the directory of its files.
type setting struct {
	host          string // "" for contoso.azurecr.io
	env           string // see vars
	logins        logins
	user, machine string            // config files, see configFile
	azure         string            // Azure CLI's azureProfile.json
	files         map[string]string // by path below DIR, beside the usual ones
	withoutAz     bool
	withoutDirs   bool // of developer tools
	onAzureVM     bool
	inPod         bool
	machineID     string // "" for "one", and "unknown" for none
}

// logins are stored logins by server.
type logins map[string]identity.Login

func (l logins) Login(server string) (*identity.Login, error) {
	login, ok := l[server]
	if !ok {
		return nil, nil
	}
	login.Server = server
	return &login, nil
}

func (l logins) Patterns() (patterns []string, _ error) {
	for _, server := range slices.Sorted(maps.Keys(l)) {
		if strings.Contains(server, "*") {
			patterns = append(patterns, server)
		}
	}
	return patterns, nil
}

func (s setting) selector(t *testing.T) selection.Selector {
	t.Helper()
	dir := t.TempDir()
	in := func(text string) string { return strings.ReplaceAll(text, "DIR", filepath.ToSlash(dir)) }
	files := map[string]string{
		"token": jwt("pod") + "\n", "one": jwt("one"), "garbage": "x",
		"cert.pem": "pem", "one.pem": "one",
		"user.json": configFile(s.user), "machine.json": configFile(s.machine), ".azure/azureProfile.json": s.azure,
	}
	maps.Copy(files, s.files)
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if content == "" {
			continue
		}
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(in(content)), 0o600))
		if err != nil {
			t.Fatal(err)
		}
	}
	stored := maps.Clone(s.logins)
	for server, l := range stored {
		l.TokenFile = in(l.TokenFile)
		stored[server] = l
	}
	env := vars(s.env)
	selector := selection.Selector{
		Getenv: func(name string) string { return in(env[name]) },
		Config: config.Load(filepath.Join(dir, "user.json"), filepath.Join(dir, "machine.json")),
		Logins: stored,
		Find: func(program string) string {
			if s.withoutAz || program != "az" {
				return ""
			}
			return "/usr/bin/az"
		},
		OnAzureVM: func() bool { return s.onAzureVM },
		MachineID: func() string { return strings.TrimPrefix(cmp.Or(s.machineID, "one"), "unknown") },
		Exists: func(path string) bool {
			return s.inPod && path == "/var/run/secrets/kubernetes.io/serviceaccount/token"
		},
	}
	if !s.withoutDirs {
		selector.AzureDir = filepath.Join(dir, ".azure")
		selector.AzdDir = filepath.Join(dir, ".azd")
		selector.PowerShellDir = filepath.Join(dir, ".Azure")
	}
	return selector
}

func (s setting) selectIdentity(t *testing.T) (identity.Identity, error) {
	t.Helper()
	selector := s.selector(t)
	host, err := selector.Config.Clouds.ParseHost(cmp.Or(s.host, "contoso.azurecr.io"))
	if err != nil {
		t.Fatal(err)
	}
	return selector.Select(host)
}

func contoso(t *testing.T) registry.Host {
	t.Helper()
	h, err := registry.ParseHost("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// A row is a setting, and a description of the identity that it selects. What follows ": " in the description must be
// part of the error or of the reason for no identity.
type row struct {
	what    string
	setting setting
	want    string
}

func (r row) check(t *testing.T) {
	t.Helper()
	t.Run(r.what, func(t *testing.T) {
		id, err := r.setting.selectIdentity(t)
		want, says, _ := strings.Cut(r.want, ": ")
		reason := id.Reason
		if err != nil {
			reason = err.Error()
		}
		if got := describe(id, err); got != want || !strings.Contains(reason, says) {
			t.Fatalf("%s (%s), want %s (%s)", got, reason, want, says)
		}
		switch {
		case err != nil:
		case id.Kind == identity.None && id.Reason != says:
			t.Errorf("reason %q, want %q", id.Reason, says)
		case id.Kind != identity.None && id.Source.String() == "":
			t.Error("no source")
		case (id.Login != nil) != (id.Source.Kind == identity.FromLogin):
			t.Errorf("%+v has no login, or one that was not selected", id)
		case id.Audience != registry.Audience && id.Audience != management:
			t.Errorf("audience %q", id.Audience)
		case !id.IsAnonymous() && (id.Fingerprint == "") != id.Uncached:
			t.Errorf("fingerprint %q, uncached %v", id.Fingerprint, id.Uncached)
		case !id.IsAnonymous() && id.String() == identity.Identity{}.String():
			t.Errorf("%+v has no name", id)
		}
	})
}

// describe says in a few words what was selected.
func describe(id identity.Identity, err error) string {
	if err != nil {
		return "error " + string(fault.CodeOf(err))
	}
	name := func(id string) string {
		return cmp.Or(map[string]string{
			tenant: "tenant", otherTenant: "otherTenant", client: "client", otherClient: "otherClient",
		}[id], id)
	}
	words := []string{
		cmp.Or(string(id.Kind), "none"), string(id.Endpoint), name(id.Tenant), name(id.ClientID), name(id.ObjectID),
		id.User, id.Subscription,
	}
	for _, flag := range []struct {
		is   bool
		word string
	}{
		{id.AskTenant, "ask-tenant"},
		{id.Uncached, "uncached"},
		{id.Detected, "detected"},
		{id.Audience == management, "for management"},
	} {
		if flag.is {
			words = append(words, flag.word)
		}
	}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " ")
}

// login is one stored login.
func login(l identity.Login) setting { return setting{logins: logins{"contoso.azurecr.io": l}} }

// azureProfile is Azure CLI's profile of one account with a default subscription, after another account's.
func azureProfile(cloud string, isDefault bool) string {
	return "\ufeff" + fmt.Sprintf(`{"installationId":"x","subscriptions":[
		{"isDefault":false,"tenantId":%q,"environmentName":"AzureCloud","user":{"name":"other@x"}},
		{"isDefault":%v,"tenantId":%q,"environmentName":%q,"user":{"name":"ada@x","type":"user"}}]}`,
		otherTenant, isDefault, tenant, cloud)
}

var signedIn = azureProfile("AzureCloud", true)

func TestSelector_Select_login(t *testing.T) {
	stored := identity.Login{Kind: identity.ServicePrincipal, ClientID: otherClient, Tenant: otherTenant, Fingerprint: "f"}
	withoutTenant := identity.Login{Kind: identity.ServicePrincipal, ClientID: otherClient, Fingerprint: "f"}
	admin := identity.Login{Kind: identity.RegistryUser, User: "admin", Fingerprint: "f"}
	vm := identity.Login{Kind: identity.ManagedIdentity, ClientID: client}
	tokenFile := identity.Login{Kind: identity.FederatedToken, ClientID: client, Tenant: tenant, TokenFile: "DIR/token"}
	azureCLI := identity.Login{Kind: identity.AzureCLI, Tenant: tenant}
	const inOther = "*.azurecr.io: tenant=$otherTenant"
	for _, r := range []struct {
		what      string
		login     identity.Login
		env, user string
		want      string
	}{
		{"first", stored, "$secret", "contoso.azurecr.io: $sp", "service-principal otherTenant otherClient"},
		{"registry user", admin, "$secret", "", "registry-user admin"},
		{"no tenant", withoutTenant, "", "", "service-principal otherClient"},
		{"tenant of environment", withoutTenant, "AZURE_TENANT_ID=$tenant", "", "service-principal tenant otherClient"},
		{"tenant of config", withoutTenant, "", "*.azurecr.io: tenant=$tenant", "service-principal tenant otherClient"},
		{"malformed tenant", withoutTenant, "AZURE_TENANT_ID=../x", "", "service-principal otherClient"},

		// A login without a secret is like a config entry: it only names the identity.
		{"anonymous", identity.Login{Kind: identity.Anonymous}, "$secret", "", "anonymous"},
		{"managed identity", vm, "", "", "managed-identity IMDS client"},
		{"token file", tokenFile, "", "", "federated-token tenant client"},
		{"Azure CLI", identity.Login{Kind: identity.AzureCLI}, "", inOther, "azure-cli otherTenant ada@x ask-tenant"},
		{"Azure CLI and tenant", azureCLI, "", inOther, "azure-cli tenant ada@x"},
	} {
		s := login(r.login)
		s.env, s.user, s.azure = r.env, r.user, signedIn
		row{r.what, s, r.want}.check(t)
	}
	row{"login for another host", setting{logins: logins{"fabrikam.azurecr.io": stored}}, "none"}.check(t)
}

func TestSelector_Select_config(t *testing.T) {
	const sp, secret = "service-principal tenant client", "AZURE_CLIENT_SECRET=s"
	for _, r := range []struct{ env, user, want string }{
		{"$secret", "contoso.azurecr.io: $anonymous", "anonymous"},
		{"", "*.azurecr.cn: $anonymous", "none"},
		{"", "c*.azurecr.io: ; *o.azurecr.io: ", "error config: *o.azurecr.io and c*.azurecr.io match contoso.azurecr.io equally well"},
		{"$secret", "*.azurecr.io: audience=$management", sp + " for management"},
		{"$secret", "*.azurecr.io: tenant=$otherTenant", "service-principal otherTenant client"},
		{secret + ", AZURE_CLIENT_ID=$client", "*.azurecr.io: tenant=$tenant", sp},

		// An entry's application, with the secret of the environment.
		{"", "contoso.azurecr.io: $sp", "error config-credential"},
		{secret, "contoso.azurecr.io: $sp", sp},
		{secret + ", AZURE_CLIENT_ID=" + strings.ToUpper(client), "contoso.azurecr.io: $sp", sp},
		{secret + ", AZURE_CLIENT_ID=$otherClient", "contoso.azurecr.io: $sp", "error config-credential-owner: belongs to 99990000"},
		{secret, "fabrikam.azurecr.io: $sp", "none"}, // the secret belongs to another registry's entry
	} {
		row{r.env + " with " + r.user, setting{env: r.env, user: r.user}, r.want}.check(t)
	}
	row{"a secret for no entry that counts", setting{
		env: secret, user: "fabrikam.azurecr.io: $anonymous", machine: "fabrikam.azurecr.io: $sp",
	}, "error environment"}.check(t)

	const suffix = "*.azurecr.contoso.local"
	const clouds = `{"clouds":{"` + suffix + `":{"authority":"https://login.contoso","audience":"` + management + `"}}`
	for user, want := range map[string]string{
		clouds + `}`: sp + " for management",
		clouds + `,"registries":{"` + suffix + `":{"audience":"` + registry.Audience + `"}}}`: sp,
	} {
		row{user, setting{host: "app.azurecr.contoso.local", env: "$secret", user: user}, want}.check(t)
	}
}

func TestSelector_Select_azure_cli(t *testing.T) {
	const ada, inOtherTenant = "azure-cli tenant ada@x", "azure-cli otherTenant ada@x ask-tenant"
	china, unknown := azureProfile("AzureChinaCloud", true), azureProfile("", true)
	for _, row := range []row{
		{"nothing", setting{}, "none"},
		{"signed in", setting{azure: signedIn}, ada},
		{"after the environment", setting{env: "$secret", azure: signedIn}, "service-principal tenant client"},
		{"after an incomplete environment", setting{env: "AZURE_CLIENT_ID=$client", azure: signedIn}, "error environment"},
		{"before the computer's managed identity", setting{azure: signedIn, onAzureVM: true}, ada},
		{"another tenant", setting{azure: signedIn, env: "AZURE_TENANT_ID=$otherTenant"}, inOtherTenant},
		{"no az", setting{azure: signedIn, withoutAz: true}, "none: Azure CLI is signed in, but az is not on the PATH"},
		{"no default subscription", setting{azure: azureProfile("AzureCloud", false)}, "none"},
		{"another cloud", setting{azure: china}, "none: Azure CLI is signed in to AzureChinaCloud, not to the registry's cloud"},
		{"an unknown cloud", setting{azure: unknown}, "none: Azure CLI is signed in to an unknown cloud, not to the registry's cloud"},
		{"a profile that isn't JSON", setting{azure: "x"}, "none"},
	} {
		row.check(t)
	}
}

func TestSelector_Select_login_for_pattern(t *testing.T) {
	user := func(name string) identity.Login {
		return identity.Login{Kind: identity.User, User: name, Tenant: tenant, Fingerprint: "f"}
	}
	stored := logins{
		"*.azurecr.io": user("ada@x"), "con*.azurecr.io": user("grace@x"), "fabrikam.azurecr.io": user("joan@x"),
	}
	for _, r := range []struct{ what, host, entry, want string }{
		{"the most specific pattern", "contoso.azurecr.io", "", "user tenant grace@x"},
		{"the only pattern that matches", "tailspin.azurecr.io", "", "user tenant ada@x"},
		{"a regional endpoint", "tailspin.westeurope.geo.azurecr.io", "", "user tenant ada@x"},
		{"another cloud", "contoso.azurecr.cn", "", "service-principal tenant client"},
		{"a login before an entry", "fabrikam.azurecr.io", "fabrikam.azurecr.io: $anonymous", "user tenant joan@x"},
		{"a login before an equal pattern", "tailspin.azurecr.io", "*.azurecr.io: $anonymous", "user tenant ada@x"},
		{"a more specific entry for the host", "tailspin.azurecr.io", "tailspin.azurecr.io: $anonymous", "anonymous"},
		{"a more specific entry for a pattern", "contoso.azurecr.io", "conto*.azurecr.io: $anonymous", "anonymous"},
		{
			"a more specific entry without an identity", "contoso.azurecr.io", "contoso.azurecr.io: audience=$management",
			"user tenant grace@x for management",
		},
	} {
		row{r.what, setting{host: r.host, logins: stored, user: r.entry, env: "$secret"}, r.want}.check(t)
	}

	stored = logins{"*oso.azurecr.io": user("carol@x"), "con*.azurecr.io": user("grace@x")}
	row{
		"equally specific patterns",
		setting{logins: stored},
		"error login-patterns: the stored logins for *oso.azurecr.io and con*.azurecr.io match equally well",
	}.check(t)
	stored["conto*.azurecr.io"] = user("ada@x")
	row{"a pattern more specific than equal ones", setting{logins: stored}, "user tenant ada@x"}.check(t)
}

// unreadable has logins that can't be read.
type unreadable struct {
	logins
	err error
}

func (u unreadable) Patterns() ([]string, error) { return nil, u.err }

func TestSelector_Select_needs_config_and_logins(t *testing.T) {
	selector, host := setting{env: "$secret"}.selector(t), contoso(t)
	selector.Logins = unreadable{err: os.ErrPermission}
	if id, err := selector.Select(host); !errors.Is(err, os.ErrPermission) {
		t.Errorf("with unreadable logins: %+v, %v", id, err)
	}
	s := login(identity.Login{Kind: identity.Anonymous})
	s.env, s.user = "$secret", "{"
	selector = s.selector(t)
	_, err := selector.Select(host)
	_, errLogin := selector.SelectLogin(host, identity.Login{Kind: identity.Anonymous})
	if !fault.Is(err, fault.Config) || !fault.Is(errLogin, fault.Config) || selector.TenantFor(host) != "" {
		t.Errorf("with a malformed config file: %v, %v, %q", err, errLogin, selector.TenantFor(host))
	}
}

func TestSelector_Select_source(t *testing.T) {
	anonymous := identity.Login{Kind: identity.Anonymous}
	for _, row := range []struct {
		setting setting
		want    string
	}{
		{login(anonymous), "a stored login"},
		{setting{logins: logins{"*.azurecr.io": anonymous}}, "the stored login for *.azurecr.io"},
		{setting{user: "*.azurecr.io: identity=azd"}, "config file DIR/user.json (*.azurecr.io)"},
		{setting{env: "$secret"}, "AZURE_CLIENT_ID"},
		{setting{env: "$app, AZURE_FEDERATED_TOKEN=${jwt ci}"}, "AZURE_FEDERATED_TOKEN"},
		{setting{env: "ARM_USE_MSI=1"}, "ARM_USE_MSI"},
		{setting{env: "MSI_ENDPOINT=http://127.0.0.1/x"}, "the Cloud Shell endpoint"},
		{setting{azure: signedIn}, "Azure CLI's default subscription"},
		{setting{onAzureVM: true}, "this computer"},
		{setting{}, ""},
		// Beside an error, the source says which login or config entry is wrong.
		{login(identity.Login{Kind: identity.WorkloadIdentity, ClientID: client}), "a stored login"},
		{setting{machine: "*.azurecr.io: identity=github-actions"}, "config file DIR/machine.json (*.azurecr.io)"},
		{setting{env: "AZURE_CLIENT_ID=$client"}, ""},
	} {
		selector := row.setting.selector(t)
		id, err := selector.Select(contoso(t))
		dir := filepath.Dir(selector.AzureDir) + string(filepath.Separator)
		if got := strings.Replace(id.Source.String(), dir, "DIR/", 1); got != row.want {
			t.Errorf("%s: source %q, want %q", describe(id, err), got, row.want)
		}
	}
}

func TestSelector_SelectLogin(t *testing.T) {
	s := login(identity.Login{Kind: identity.Anonymous})
	s.azure, s.env, s.user = signedIn, "AZURE_TENANT_ID=$tenant", "*.azurecr.io: $anonymous, audience=$management"
	selector, host := s.selector(t), contoso(t)
	for _, row := range []struct {
		login identity.Login
		want  string
	}{
		{identity.Login{Kind: identity.AzureCLI}, "azure-cli tenant ada@x for management"},
		{identity.Login{Kind: identity.ServicePrincipal, ClientID: client}, "service-principal tenant client for management"},
	} {
		id, err := selector.SelectLogin(host, row.login)
		if got := describe(id, err); got != row.want || id.Source.String() != "the command line" {
			t.Errorf("%+v: %s from %q (%v), want %s", row.login, got, id.Source, err, row.want)
		}
	}
	if got := selector.TenantFor(host); got != tenant {
		t.Errorf("TenantFor: %q", got)
	}
}

// Every row has two jobs on one computer that differ in nothing but what obtains their tokens. Neither may get the
// other's token, nor may a job that only knows the client ID. (For certificates and the tokens of federated.txtar, the
// scripts prove it.)
func TestSelector_Select_tells_identities_apart(t *testing.T) {
	app := func(more string) setting { return setting{env: "$app, " + more} }
	vm := func(env string) setting { return setting{env: env, onAzureVM: true} }
	gitHub := func(token string) setting { return app("$gitHub, ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + token) }
	pipelines := func(token, connection string) setting {
		return app("$task, SYSTEM_ACCESSTOKEN=" + token + ", AZURESUBSCRIPTION_SERVICE_CONNECTION_ID=" + connection)
	}
	user := func(name, fingerprint string) setting {
		return login(identity.Login{Kind: identity.User, User: name, ClientID: client, Fingerprint: fingerprint})
	}
	entry := func(fields string) setting { return setting{user: "*.azurecr.io: " + fields} }
	federatedBy := func(id string) setting {
		return entry("identity=federated-token, clientId=$client, tenant=$tenant, managedIdentity=" + id)
	}
	managedAzureCLI := func(assigned string) setting {
		return setting{azure: fmt.Sprintf(`{"subscriptions":[{"isDefault":true,"tenantId":%q,"environmentName":"AzureCloud",
			"user":{"name":"userAssignedIdentity","type":"servicePrincipal","assignedIdentityInfo":%q}}]}`, tenant, assigned)}
	}
	subscription := func(name string) setting {
		s := entry("identity=azure-cli, subscription=" + name)
		s.azure = strings.ReplaceAll(twoAccounts, otherTenant, tenant)
		return s
	}
	powerShell := func(context string) setting {
		s := entry("identity=azure-powershell, tenant=$tenant")
		s.files = map[string]string{".Azure/AzureRmContext.json": powerShellContexts(context)}
		return s
	}
	secret := app("AZURE_CLIENT_SECRET=one")
	otherMachine := vm("AZURE_CLIENT_ID=$client")
	otherMachine.machineID = "two"
	arc := func(machine string) setting {
		return setting{env: "AZURE_CLIENT_ID=$client, IDENTITY_ENDPOINT=http://127.0.0.1:40342/x, IMDS_ENDPOINT=x", machineID: machine}
	}
	serviceAccount := func(uid string) setting {
		s := app("AZURE_FEDERATED_TOKEN_FILE=DIR/pod")
		s.files = map[string]string{"pod": jwtWith(`"sub":"pod","kubernetes.io":{"serviceaccount":{"uid":"` + uid + `"}}`)}
		return s
	}

	for _, row := range []struct {
		what     string
		one, two setting
		// sharesFingerprint says that other fields than the fingerprint tell them apart.
		sharesFingerprint bool
	}{
		{"secrets", secret, app("AZURE_CLIENT_SECRET=two"), false},
		{"applications", secret, app("AZURE_CLIENT_SECRET=one, AZURE_CLIENT_ID=$otherClient"), true},
		{"tenants", secret, app("AZURE_CLIENT_SECRET=one, AZURE_TENANT_ID=$otherTenant"), true},
		{"audiences", secret, setting{env: secret.env, user: "*.azurecr.io: audience=$management"}, true},
		{"a certificate and a secret", app("AZURE_CLIENT_CERTIFICATE_PATH=DIR/one.pem"), secret, false},
		{"jobs of GitHub Actions", gitHub("one"), gitHub("two"), false},
		{"jobs of Azure Pipelines", pipelines("one", client), pipelines("two", client), false},
		{"service connections", pipelines("one", client), pipelines("one", otherClient), false},
		{"a job of GitHub Actions and one of Azure Pipelines", gitHub("one"), pipelines("one", client), false},
		{"managed identities", vm("AZURE_CLIENT_ID=$client"), vm("AZURE_CLIENT_ID=$otherClient"), true},
		{"hosted applications", vm("$appService, IDENTITY_HEADER=one"), vm("$appService, IDENTITY_HEADER=two"), false},
		{
			"managed identities by object ID", entry("identity=managed-identity, objectId=$client"),
			entry("identity=managed-identity, objectId=$otherClient"), false,
		},
		{"computers", vm("AZURE_CLIENT_ID=$client"), otherMachine, false},
		{"computers in Azure Arc", arc("one"), arc("two"), false},
		{"assertions in a variable", app("AZURE_FEDERATED_TOKEN=" + jwt("job")), app("AZURE_FEDERATED_TOKEN=" + jwtWith(`"sub":"job","jti":"2"`)), false},
		{"service accounts of the same name", serviceAccount("1"), serviceAccount("2"), false},
		{"managed identities that issue the assertion", federatedBy(client), federatedBy(otherClient), false},
		{"users", user("ada@x", "one"), user("grace@x", "two"), false},
		{"two logins of a user", user("ada@x", "one"), user("ada@x", "two"), false},
		{"managed identities of Azure CLI", managedAzureCLI("MSIClient-a"), managedAzureCLI("MSIClient-b"), false},
		{"accounts of subscriptions", subscription("Prod"), subscription("Lab Berlin"), false},
		{"accounts of Azure PowerShell", powerShell("Prod (0000) - ada@x"), powerShell("Test (0001) - bob@x"), false},
	} {
		t.Run(row.what, func(t *testing.T) {
			one, errOne := row.one.selectIdentity(t)
			two, errTwo := row.two.selectIdentity(t)
			if errOne != nil || errTwo != nil || one.Kind == identity.None || two.Kind == identity.None {
				t.Fatalf("%+v (%v), %+v (%v)", one, errOne, two, errTwo)
			}
			if one.Equal(two) || !row.sharesFingerprint && one.Fingerprint == two.Fingerprint {
				t.Errorf("%+v and %+v are equal", one, two)
			}
			for name, secret := range vars(row.one.env) {
				if strings.HasSuffix(name, "SECRET") && strings.Contains(one.Fingerprint, secret) {
					t.Errorf("fingerprint %q contains the secret", one.Fingerprint)
				}
			}
			nameOnly := setting{env: "AZURE_TENANT_ID=$tenant, AZURE_CLIENT_ID=" + one.ClientID}
			if id, err := nameOnly.selectIdentity(t); err == nil && id.Equal(one) {
				t.Error("the client ID alone is enough")
			}
		})
	}
}

// TestSelector_Select_of_a_token_file has a file that is replaced by its issuer, and another file with the same token.
func TestSelector_Select_of_a_token_file(t *testing.T) {
	name := "pod"
	s := setting{files: map[string]string{
		"pod":   jwtWith(`"sub":"pod","exp":1800000000`),
		"new":   jwtWith(`"sub":"pod","exp":1900000000`),
		"other": jwtWith(`"sub":"pod","exp":1800000000`),
	}}
	s.env = "$app, AZURE_FEDERATED_TOKEN_FILE=DIR/FILE"
	selector := s.selector(t)
	getenv := selector.Getenv
	selector.Getenv = func(variable string) string { return strings.ReplaceAll(getenv(variable), "FILE", name) }
	path := selector.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	get := func() identity.Identity {
		id, err := selector.Select(contoso(t))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	old := get()
	if old.Assertion.Expires.Unix() != 1800000000 || old.Assertion.Hash == "" {
		t.Errorf("%+v", old.Assertion)
	}
	name = "other"
	if other := get(); other.Equal(old) || other.Assertion.Hash != old.Assertion.Hash {
		t.Errorf("another file is the same identity: %+v", other)
	}
	name = "pod"
	if err := os.Rename(filepath.Join(filepath.Dir(path), "new"), path); err != nil {
		t.Fatal(err)
	}
	if replaced := get(); !replaced.Equal(old) || replaced.Assertion == old.Assertion {
		t.Errorf("the replaced file is another identity: %+v", replaced)
	}
}

// TestSelector_Select_on_an_unknown_computer keeps the tokens of a computer's identity in memory.
func TestSelector_Select_on_an_unknown_computer(t *testing.T) {
	for machine, inMemory := range map[string]bool{"one": false, "unknown": true} {
		id, err := setting{env: "AZURE_CLIENT_ID=$client", onAzureVM: true, machineID: machine}.selectIdentity(t)
		if err != nil || id.InMemory != inMemory {
			t.Errorf("%s: %+v, %v", machine, id, err)
		}
	}
}
