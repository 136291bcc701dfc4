package azuretest

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// A hostFixture has both kinds of identity and all endpoints enabled.
type hostFixture struct {
	*fixture
	host         *ManagedIdentityHost
	system, user *ManagedIdentity
	endpoint     map[string]string // URL by kind
	header       map[string]string // value of the required header by kind
	keyDir       string
}

func newHostFixture(t *testing.T) *hostFixture {
	t.Helper()
	base := newFixture(t)
	f := &hostFixture{
		fixture: base, system: base.tenant.AddManagedIdentity(""), user: base.tenant.AddManagedIdentity("builder"),
		keyDir: t.TempDir(),
	}
	f.host = f.AddManagedIdentityHost(f.system, f.user)
	app, ml, fabric := f.host.AppService(), f.host.AzureML(""), f.host.ServiceFabric()
	f.endpoint = map[string]string{
		KindIMDS:          "http://169.254.169.254/metadata/identity/oauth2/token",
		KindArc:           f.host.Arc(f.keyDir)["IDENTITY_ENDPOINT"],
		KindAppService:    app["IDENTITY_ENDPOINT"],
		KindAzureML:       ml["MSI_ENDPOINT"],
		KindServiceFabric: fabric["IDENTITY_ENDPOINT"],
		KindCloudShell:    f.host.CloudShell()["MSI_ENDPOINT"],
	}
	f.header = map[string]string{
		KindIMDS: "true", KindArc: "true", KindCloudShell: "true", KindAppService: app["IDENTITY_HEADER"],
		KindAzureML: ml["MSI_SECRET"], KindServiceFabric: fabric["IDENTITY_HEADER"],
	}
	// Clients identify Service Fabric by its thumbprint.
	f.client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	return f
}

// request sends parameters to an endpoint, with the required header unless others are given.
func (f *hostFixture) request(kind string, params url.Values, header ...string) response {
	f.t.Helper()
	if header == nil {
		header = []string{contracts[kind].header, f.header[kind]}
	}
	if contracts[kind].method == http.MethodPost {
		return f.post(f.endpoint[kind], params, header...)
	}
	return f.get(f.endpoint[kind]+"?"+params.Encode(), header...)
}

// solve solves Azure Arc's challenge.
func (f *hostFixture) solve(a response, params url.Values) response {
	f.t.Helper()
	_, file, _ := strings.Cut(a.Header.Get("WWW-Authenticate"), "Basic realm=")
	key, err := os.ReadFile(file)
	if a.StatusCode != 401 || err != nil || !strings.HasPrefix(file, f.keyDir) {
		f.t.Fatalf("%s %v: %v", a.Status, a.Header, err)
	}
	header := []string{"Metadata", "true", "Authorization", "Basic " + string(key)}
	solved := f.request(KindArc, params, header...)
	if again := f.request(KindArc, params, header...); again.StatusCode != 401 {
		f.t.Errorf("a used key: %s", again.Status)
	}
	return solved
}

// params returns the parameters of a good request, with additional ones. Those with the value "-" are removed.
func params(kind string, pairs ...string) url.Values {
	v := form("resource", acrResource)
	if version := contracts[kind].version; version != "" {
		v.Set("api-version", version)
	}
	if contracts[kind].alwaysSent {
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

var endpointKinds = []string{KindIMDS, KindAppService, KindServiceFabric, KindAzureML, KindCloudShell, KindArc}

func TestManagedIdentityHost_token(t *testing.T) {
	for _, kind := range endpointKinds {
		t.Run(kind, func(t *testing.T) {
			f := newHostFixture(t)
			f.registry.Grant(f.system, AcrPull)
			a := f.request(kind, params(kind))
			if kind == KindArc {
				a = f.solve(a, params(kind))
			}
			c := claimsOf(t, a.field("access_token"))
			if c["oid"] != f.system.ObjectID() || c["appid"] != f.system.ClientID() ||
				c["xms_mirid"] != f.system.ResourceID() || c["aud"] != acrResource {
				t.Errorf("claims %v", c)
			}
			if a := f.exchange(a.field("access_token")); a.StatusCode != 200 {
				t.Errorf("exchange: %s", a.Status)
			}
			if text := strings.Contains(a.body, `"expires_on":"`); text != (kind != KindServiceFabric) {
				t.Errorf("%s", a.body)
			}
			if len(f.Leaks()) > 0 || len(f.ForeignHosts()) > 0 || f.Seen(kind) == 0 {
				t.Errorf("leaks %v, foreign %v", f.Leaks(), f.ForeignHosts())
			}
		})
	}
}

func TestManagedIdentityHost_selectors(t *testing.T) {
	f := newHostFixture(t)
	for _, kind := range endpointKinds {
		for name, value := range map[string]string{
			"client_id": f.user.ClientID(), "clientid": f.user.ClientID(), "object_id": f.user.ObjectID(),
			"principal_id": f.user.ObjectID(), "msi_res_id": f.user.ResourceID(), "mi_res_id": f.user.ResourceID(),
		} {
			v := params(kind)
			v.Set(name, value)
			a := f.request(kind, v)
			allowed := slices.Contains(contracts[kind].selectors, name)
			if kind == KindArc && allowed {
				if a = f.solve(a, v); a.field(name) != value {
					t.Errorf("Arc doesn't repeat %s: %s", name, a.body)
				}
			}
			if (a.StatusCode == 200) != allowed {
				t.Errorf("%s with %s: %s", kind, name, a.Status)
			}
			if allowed && claimsOf(t, a.field("access_token"))["oid"] != f.user.ObjectID() {
				t.Errorf("%s with %s: another identity", kind, name)
			}
		}
	}
}

func TestManagedIdentityHost_refuses(t *testing.T) {
	f := newHostFixture(t)
	for _, kind := range endpointKinds {
		own, value := contracts[kind].header, f.header[kind]
		other := "Metadata"
		if own == other {
			other = "X-Identity-Header"
		}
		for _, tt := range []struct {
			name   string
			params url.Values
			header []string
		}{
			{"no header", params(kind), []string{}},
			{"wrong header", params(kind), []string{own, "no"}},
			{"forwarded", params(kind), []string{own, value, "X-Forwarded-For", "10.0.0.1"}},
			{"header of another endpoint", params(kind), []string{own, value, other, "true"}},
			{"no resource", params(kind, "resource", "-"), nil},
			{"two resources", params(kind, "resource", acrResource), nil},
			{"scope", params(kind, "resource", "-", "resource", acrScope), nil},
			{"unknown resource", params(kind, "resource", "-", "resource", "https://contoso.example"), nil},
			{"other version", params(kind, "api-version", "-", "api-version", "2017-01-01"), nil},
			{"unknown parameter", params(kind, "bypass_cache", "true"), nil},
			{"empty parameter", params(kind, "client_id", ""), nil},
		} {
			a := f.request(kind, tt.params, tt.header...)
			if kind == KindArc && (tt.name == "scope" || tt.name == "unknown resource") {
				a = f.solve(a, tt.params)
			}
			if a.StatusCode < 400 || a.StatusCode > 499 || f.lastWhy() == "" {
				t.Errorf("%s, %s: %s", kind, tt.name, a.Status)
			}
		}
		wrong := map[string]string{"GET": "POST", "POST": "GET"}[contracts[kind].method]
		f.want(405, wrong, f.endpoint[kind]+"?"+params(kind).Encode(), "", own, value)
	}
	f.want(404, "GET", "http://169.254.169.254/metadata/instance?api-version=2018-02-01", "", "Metadata", "true")
}

func TestManagedIdentityHost_Assign(t *testing.T) {
	f := newHostFixture(t)
	other := f.tenant.AddManagedIdentity("pusher")
	none, one, two := []*ManagedIdentity{}, []*ManagedIdentity{f.user}, []*ManagedIdentity{f.user, other}
	for _, tt := range []struct {
		kind       string
		identities []*ManagedIdentity
		want       string
	}{
		{KindIMDS, one, "access_token"},
		{KindIMDS, two, "Multiple user assigned identities exist"},
		{KindIMDS, append(two, f.system), "access_token"},
		{KindIMDS, none, "Identity not found"},
		{KindAppService, one, "No User Assigned or Delegated Managed Identity found"},
		{KindServiceFabric, one, "access_token"},
		{KindServiceFabric, none, "ManagedIdentityNotFound"},
		{KindCloudShell, none, "Identity not found"},
	} {
		f.host.Assign(tt.identities...)
		if a := f.request(tt.kind, params(tt.kind)); !strings.Contains(a.body, tt.want) {
			t.Errorf("%s with %d identities: %s %s", tt.kind, len(tt.identities), a.Status, a.body)
		}
	}
}

// The secret of an endpoint may be sent to this endpoint only.
func TestCloud_Leaks_of_endpoint_secrets(t *testing.T) {
	f := newHostFixture(t)
	secret := f.header[KindAppService]
	for _, tt := range []struct {
		name, kind string
		header     []string
	}{
		{"App Service's secret to Azure ML", KindAzureML, []string{"Secret", secret}},
		{"App Service's secret to IMDS", KindIMDS, []string{"Metadata", secret}},
		{"App Service's secret twice", KindAppService, []string{"X-Identity-Header", secret, "X-Other", secret}},
	} {
		f.Reset()
		f.request(tt.kind, params(tt.kind), tt.header...)
		if got := len(f.Leaks()); got != 1 {
			t.Errorf("%s: %d leaks", tt.name, got)
		}
	}
}

func TestTenant_ExchangeAudience(t *testing.T) {
	f := newHostFixture(t)
	a := f.request(KindIMDS, params(KindIMDS, "resource", "-", "resource", TokenExchange))
	c := claimsOf(t, a.field("access_token"))
	if c["iss"] != "https://login.microsoftonline.com/"+f.tenant.ID()+"/v2.0" || c["ver"] != "2.0" ||
		c["sub"] != f.system.ObjectID() || c["azp"] != f.system.ClientID() || c["aud"] != TokenExchange {
		t.Errorf("%v", c)
	}
	china := f.AddTenantAt("login.partner.microsoftonline.cn", "")
	if got := china.ExchangeAudience(); got != "api://AzureADTokenExchangeChina" {
		t.Error(got)
	}
}

func TestCloud_without_IMDS(t *testing.T) {
	f := newFixture(t)
	if resp, err := f.client.Get("http://169.254.169.254/metadata/identity/oauth2/token"); err == nil {
		t.Errorf("%s", resp.Status)
	}
	if got := strings.Join(f.ForeignHosts(), " "); !strings.Contains(got, "169.254.169.254") {
		t.Errorf("foreign hosts %s", got)
	}
}

// Service Fabric uses TLS with its own certificate, IMDS plain HTTP.
func TestManagedIdentityHost_TLS(t *testing.T) {
	f := newHostFixture(t)
	verifying := &http.Client{Transport: f.Transport()}
	if _, err := verifying.Get(f.endpoint[KindServiceFabric]); err == nil {
		t.Error("Service Fabric's certificate is not self-signed")
	}
	if _, err := f.client.Get(strings.Replace(f.endpoint[KindServiceFabric], "https", "http", 1)); err == nil {
		t.Error("Service Fabric responds without TLS")
	}
	if _, err := f.client.Get("https://169.254.169.254/metadata/identity/oauth2/token"); err == nil {
		t.Error("IMDS responds with TLS")
	}
}

func TestCloud_ServeIMDS(t *testing.T) {
	f := newHostFixture(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f.ServeIMDS(l)
	f.client.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", l.Addr().String())
		},
	}
	if a := f.request(KindIMDS, params(KindIMDS)); a.StatusCode != 200 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	f.Close()
	if _, err := f.client.Get(f.endpoint[KindIMDS]); err == nil {
		t.Error("IMDS responds after Close")
	}
}
