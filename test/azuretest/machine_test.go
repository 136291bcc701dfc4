package azuretest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// A rented machine has both kinds of identity and all endpoints open.
type rented struct {
	*world
	machine      *Machine
	system, user *ManagedIdentity
	at           map[string]string // by kind: the address to ask
	secret       map[string]string // by kind: the header to send
	keys         string
}

func rent(t *testing.T) *rented {
	t.Helper()
	w := newWorld(t)
	r := &rented{world: w, system: w.tenant.AddManagedIdentity(""), user: w.tenant.AddManagedIdentity("builder"), keys: t.TempDir()}
	r.machine = w.AddMachine(r.system, r.user)
	app, ml, fabric := r.machine.AppService(), r.machine.AzureML(""), r.machine.ServiceFabric()
	r.at = map[string]string{
		KindIMDS: "http://169.254.169.254/metadata/identity/oauth2/token", KindArc: r.machine.Arc(r.keys)["IDENTITY_ENDPOINT"],
		KindAppService: app["IDENTITY_ENDPOINT"], KindAzureML: ml["MSI_ENDPOINT"],
		KindServiceFabric: fabric["IDENTITY_ENDPOINT"], KindCloudShell: r.machine.CloudShell()["MSI_ENDPOINT"],
	}
	r.secret = map[string]string{
		KindAppService: app["IDENTITY_HEADER"], KindAzureML: ml["MSI_SECRET"], KindServiceFabric: fabric["IDENTITY_HEADER"],
	}
	// Whoever asks Service Fabric goes by the thumbprint.
	r.client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	return r
}

// ask sends the parameters as the endpoint wants them, with its own header unless
// others are given.
func (r *rented) ask(kind string, params url.Values, header ...string) answer {
	r.t.Helper()
	if header == nil {
		header = []string{contracts[kind].header, "true"}
		if secret := r.secret[kind]; secret != "" {
			header[1] = secret
		}
	}
	if contracts[kind].method == http.MethodPost {
		return r.post(r.at[kind], params, header...)
	}
	return r.get(r.at[kind]+"?"+params.Encode(), header...)
}

// params are the right ones, less those named by a dash, with others added.
func params(kind string, pairs ...string) url.Values {
	v := form("resource", acrResource)
	if version := contracts[kind].version; version != "" {
		v.Set("api-version", version)
	}
	if contracts[kind].always {
		v.Set(contracts[kind].selectors[0], "")
	}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			v.Del(pairs[i])
		} else {
			v.Add(pairs[i], pairs[i+1])
		}
	}
	return v
}

var machineKinds = []string{KindIMDS, KindAppService, KindServiceFabric, KindAzureML, KindCloudShell, KindArc}

func TestMachineTokens(t *testing.T) {
	for _, kind := range machineKinds {
		t.Run(kind, func(t *testing.T) {
			r := rent(t)
			r.registry.Grant(r.system, AcrPull)
			a := r.ask(kind, params(kind))
			if kind == KindArc {
				a = r.meet(a, params(kind))
			}
			c := claimsOf(t, a.field("access_token"))
			if c["oid"] != r.system.ObjectID() || c["appid"] != r.system.ClientID() || c["xms_mirid"] != r.system.ResourceID() || c["aud"] != acrResource {
				t.Errorf("claims %v", c)
			}
			if a := r.exchange(a.field("access_token")); a.StatusCode != 200 {
				t.Errorf("exchange: %s", a.Status)
			}
			if numeric := strings.Contains(string(a.body), `"expires_on":1`) || strings.Contains(string(a.body), `"expires_on":2`); numeric != (kind == KindServiceFabric) {
				t.Errorf("%s", a.body)
			}
			if len(r.Leaks()) > 0 || len(r.ForeignHosts()) > 0 || r.Seen(kind) == 0 {
				t.Errorf("leaks %v, foreign %v", r.Leaks(), r.ForeignHosts())
			}
		})
	}
}

// meet answers Azure Arc's challenge.
func (r *rented) meet(a answer, v url.Values) answer {
	r.t.Helper()
	_, file, _ := strings.Cut(a.Header.Get("WWW-Authenticate"), "Basic realm=")
	key, err := os.ReadFile(file)
	if a.StatusCode != 401 || err != nil || !strings.HasPrefix(file, r.keys) {
		r.t.Fatalf("%s %v: %v", a.Status, a.Header, err)
	}
	answer := r.ask(KindArc, v, "Metadata", "true", "Authorization", "Basic "+string(key))
	if again := r.ask(KindArc, v, "Metadata", "true", "Authorization", "Basic "+string(key)); again.StatusCode != 401 {
		r.t.Errorf("a used key: %s", again.Status)
	}
	return answer
}

// TestMachineSelectors holds every endpoint to its own names of parameters.
func TestMachineSelectors(t *testing.T) {
	r := rent(t)
	values := map[string]string{
		"client_id": r.user.ClientID(), "clientid": r.user.ClientID(), "object_id": r.user.ObjectID(), "principal_id": r.user.ObjectID(),
		"msi_res_id": r.user.ResourceID(), "mi_res_id": r.user.ResourceID(),
	}
	for _, kind := range machineKinds {
		for name, value := range values {
			v := params(kind)
			v.Set(name, value)
			a := r.ask(kind, v)
			allowed := strings.Contains(strings.Join(contracts[kind].selectors, " "), name)
			if kind == KindArc && allowed {
				a = r.meet(a, v)
				if a.field(name) != value {
					t.Errorf("Arc does not confirm %s: %s", name, a.body)
				}
			}
			if (a.StatusCode == 200) != allowed {
				t.Errorf("%s with %s: %s", kind, name, a.Status)
			}
			if allowed && claimsOf(t, a.field("access_token"))["oid"] != r.user.ObjectID() {
				t.Errorf("%s with %s: somebody else", kind, name)
			}
		}
	}
}

func TestMachineRefusals(t *testing.T) {
	r := rent(t)
	for _, kind := range machineKinds {
		own := contracts[kind].header
		value := "true"
		if r.secret[kind] != "" {
			value = r.secret[kind]
		}
		for _, row := range []struct {
			what   string
			params url.Values
			header []string
		}{
			{"no header", params(kind), []string{}},
			{"a wrong header", params(kind), []string{own, "no"}},
			{"forwarded", params(kind), []string{own, value, "X-Forwarded-For", "10.0.0.1"}},
			{"somebody else's header", params(kind), []string{own, value, map[bool]string{true: "X-Identity-Header", false: "Metadata"}[own == "Metadata"], "true"}},
			{"no resource", params(kind, "resource", "-"), nil},
			{"two resources", params(kind, "resource", acrResource), nil},
			{"a scope", params(kind, "resource", "-", "resource", acrScope), nil},
			{"an unknown resource", params(kind, "resource", "-", "resource", "https://contoso.example"), nil},
			{"another version", params(kind, "api-version", "-", "api-version", "2017-01-01"), nil},
			{"a parameter too many", params(kind, "bypass_cache", "true"), nil},
			{"an empty parameter", params(kind, "client_id", ""), nil},
		} {
			a := r.ask(kind, row.params, row.header...)
			if kind == KindArc && row.what == "a scope" || kind == KindArc && row.what == "an unknown resource" {
				a = r.meet(a, row.params)
			}
			if a.StatusCode < 400 || a.StatusCode > 499 || r.lastWhy() == "" {
				t.Errorf("%s, %s: %s", kind, row.what, a.Status)
			}
		}
		wrong := map[string]string{"GET": "POST", "POST": "GET"}[contracts[kind].method]
		req := r.request(wrong, r.at[kind]+"?"+params(kind).Encode(), "", own, value)
		if a := r.do(req); a.StatusCode != 405 {
			t.Errorf("%s, %s: %s", kind, wrong, a.Status)
		}
	}
	if a := r.get("http://169.254.169.254/metadata/instance?api-version=2018-02-01", "Metadata", "true"); a.StatusCode != 404 {
		t.Errorf("another path: %s", a.Status)
	}
}

// TestMachineIdentities is about whom a machine is when nobody says.
func TestMachineIdentities(t *testing.T) {
	r := rent(t)
	other := r.tenant.AddManagedIdentity("pusher")
	for _, row := range []struct {
		what   string
		assign []*ManagedIdentity
		kind   string
		want   string
	}{
		{"one", []*ManagedIdentity{r.user}, KindIMDS, "access_token"},
		{"several", []*ManagedIdentity{r.user, other}, KindIMDS, "Multiple user assigned identities exist"},
		{"several and its own", []*ManagedIdentity{r.user, other, r.system}, KindIMDS, "access_token"},
		{"none", nil, KindIMDS, "Identity not found"},
		{"one", []*ManagedIdentity{r.user}, KindAppService, "No User Assigned or Delegated Managed Identity found"},
		{"one", []*ManagedIdentity{r.user}, KindServiceFabric, "access_token"},
		{"none", nil, KindServiceFabric, "ManagedIdentityNotFound"},
		{"none", nil, KindCloudShell, "Identity not found"},
	} {
		r.machine.Assign(row.assign...)
		if a := r.ask(row.kind, params(row.kind)); !strings.Contains(string(a.body), row.want) {
			t.Errorf("%s, %s: %s %s", row.kind, row.what, a.Status, a.body)
		}
	}
}

// A secret of the machine's is at home at its own endpoint, and a leak elsewhere.
func TestMachineLeaks(t *testing.T) {
	for _, row := range []struct {
		what, kind string
		header     []string
	}{
		{"App Service's secret as Azure ML's", KindAzureML, []string{"Secret", KindAppService}},
		{"App Service's secret at IMDS", KindIMDS, []string{"Metadata", KindAppService}},
		{"App Service's secret twice", KindAppService, []string{"X-Identity-Header", KindAppService, "X-Other", KindAppService}},
	} {
		r := rent(t)
		header := append([]string{}, row.header...)
		for i := 1; i < len(header); i += 2 {
			header[i] = r.secret[header[i]]
		}
		r.ask(row.kind, params(row.kind), header...)
		if len(r.Leaks()) != 1 {
			t.Errorf("%s: %d leaks", row.what, len(r.Leaks()))
		}
	}
}

// TestExchangeAudience: what an application trusts that trusts a managed identity.
func TestExchangeAudience(t *testing.T) {
	r := rent(t)
	a := r.ask(KindIMDS, params(KindIMDS, "resource", "-", "resource", "api://AzureADTokenExchange"))
	c := claimsOf(t, a.field("access_token"))
	if c["iss"] != "https://login.microsoftonline.com/"+r.tenant.ID()+"/v2.0" || c["sub"] != r.system.ObjectID() || c["aud"] != "api://AzureADTokenExchange" {
		t.Errorf("%v", c)
	}
	if got := r.AddTenantAt("login.partner.microsoftonline.cn", "").ExchangeAudience(); got != "api://AzureADTokenExchangeChina" {
		t.Error(got)
	}
}

// Without a machine there is no IMDS: the connection is cut, as by nobody.
func TestNoMachine(t *testing.T) {
	w := newWorld(t)
	if resp, err := w.client.Get("http://169.254.169.254/metadata/identity/oauth2/token"); err == nil {
		t.Errorf("%s", resp.Status)
	}
	if got := strings.Join(w.ForeignHosts(), " "); !strings.Contains(got, "169.254.169.254") {
		t.Errorf("foreign hosts %s", got)
	}
}

// Service Fabric's certificate is known by its thumbprint alone, and in plain
// HTTP it doesn't answer, nor IMDS in TLS.
func TestMachineTLS(t *testing.T) {
	r := rent(t)
	trusting := &http.Client{Transport: r.Transport()}
	if _, err := trusting.Get(r.at[KindServiceFabric]); err == nil {
		t.Error("the root vouches for Service Fabric")
	}
	if _, err := r.client.Get(strings.Replace(r.at[KindServiceFabric], "https", "http", 1)); err == nil {
		t.Error("Service Fabric without TLS")
	}
	if _, err := r.client.Get("https://169.254.169.254/metadata/identity/oauth2/token"); err == nil {
		t.Error("IMDS with TLS")
	}
}

// ServeIMDS answers on a listener of the caller's.
func TestServeIMDS(t *testing.T) {
	r := rent(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.ServeIMDS(l)
	r.client.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", l.Addr().String())
		},
		TLSClientConfig: &tls.Config{},
	}
	if a := r.ask(KindIMDS, params(KindIMDS)); a.StatusCode != 200 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	r.Close()
	if _, err := r.client.Get(r.at[KindIMDS]); err == nil {
		t.Error("still there")
	}
}
