package azuretest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// withSecret returns a good token request of the application, with changes.
func (f *fixture) withSecret(change ...string) url.Values {
	v := form("grant_type", "client_credentials", "client_id", f.app.ClientID(), "client_secret", "planted-secret",
		"scope", acrScope)
	return changed(v, change...)
}

func TestEntra_token_refuses(t *testing.T) {
	f := newFixture(t)
	f.app.AddSecret("old-secret")
	f.app.ExpireSecret("old-secret")
	disabled := f.tenant.AddServicePrincipal("", "planted-secret")
	disabled.Disable()
	china := f.AddTenantAt("login.chinacloudapi.cn", "")
	good := f.withSecret
	const otherScope = "https://management.chinacloudapi.cn/.default"
	for _, tt := range []struct {
		name, tenant string
		form         url.Values
		status, code int
		error        string
	}{
		{"unknown application", "", good("client_id", newGUID()), 400, 700016, "unauthorized_client"},
		{"wrong secret", "", good("client_secret", "x"), 401, 7000215, "invalid_client"},
		{"expired secret", "", good("client_secret", "old-secret"), 401, 7000222, "invalid_client"},
		{"no secret", "", good("client_secret", ""), 401, 7000218, "invalid_client"},
		{"malformed assertion", "", good("client_assertion", "a.b.c"), 401, 700027, "invalid_client"},
		{"disabled application", "", good("client_id", disabled.ClientID()), 400, 7000112, "unauthorized_client"},
		{"unknown tenant", newGUID(), good(), 400, 90002, "invalid_request"},
		{"other cloud's tenant", china.ID(), good(), 400, 900382, "invalid_request"},
		{"common", "common", good(), 400, 9001023, "invalid_request"},
		{"organizations", "organizations", good(), 400, 90130, "invalid_request"},
		{"no grant", "", good("grant_type", ""), 400, 900144, "invalid_request"},
		{"unknown grant", "", good("grant_type", "password"), 400, 70003, "unsupported_grant_type"},
		{"no client ID", "", good("client_id", ""), 400, 900144, "invalid_request"},
		{"no scope", "", good("scope", ""), 400, 900144, "invalid_request"},
		{"two resources", "", good("scope", acrScope+" "+otherScope), 400, 70011, "invalid_scope"},
		{"no .default", "", good("scope", acrResource+"/pull"), 400, 70011, "invalid_scope"},
		{"registry as resource", "", good("scope", "https://"+testHost+"/.default"), 400, 500011, "invalid_resource"},
		{"other cloud's resource", "", good("scope", otherScope), 400, 500011, "invalid_resource"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tenant := tt.tenant
			if tenant == "" {
				tenant = f.tenant.ID()
			}
			correlation := newGUID()
			a := f.tokens(tenant, tt.form, "Client-Request-Id", correlation)
			var body entraError
			if err := json.Unmarshal([]byte(a.body), &body); err != nil {
				t.Fatal(err)
			}
			if a.StatusCode != tt.status || body.Error != tt.error || !slices.Equal(body.Codes, []int{tt.code}) {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			if body.CorrelationID != correlation || body.TraceID != a.Header.Get("X-Ms-Request-Id") ||
				!strings.HasPrefix(body.Description, fmt.Sprintf("AADSTS%d: ", tt.code)) ||
				!strings.Contains(body.Description, " Correlation ID: "+correlation+" Timestamp: ") ||
				body.URI != fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", tt.code) ||
				strings.Contains(body.Description, "{") {
				t.Errorf("body: %s", a.body)
			}
		})
	}
}

func TestEntra_token(t *testing.T) {
	f := newFixture(t)
	at := time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC)
	f.SetClock(func() time.Time { return at })
	const tenant = "contoso.onmicrosoft.com"
	a := f.tokens(tenant, f.withSecret("scope", acrScope+" openid offline_access profile"))
	if a.StatusCode != 200 || a.Header.Get("Cache-Control") != "no-store, no-cache" ||
		a.Header.Get("Date") != "Sun, 04 May 2031 03:02:01 GMT" {
		t.Fatalf("%s %v %s", a.Status, a.Header, a.body)
	}
	c := claimsOf(t, a.field("access_token"))
	for name, want := range map[string]any{
		"aud": acrResource, "tid": f.tenant.ID(), "oid": f.app.ObjectID(), "appid": f.app.ClientID(), "ver": "1.0",
		"iss": "https://sts.windows.net/" + f.tenant.ID() + "/", "exp": float64(at.Add(75 * time.Minute).Unix()),
	} {
		if c[name] != want {
			t.Errorf("%s = %v, want %v", name, c[name], want)
		}
	}
	a = f.get("https://" + DefaultAuthority + "/" + tenant + "/oauth2/v2.0/token")
	if a.StatusCode != 400 || !strings.Contains(a.body, "AADSTS900561") {
		t.Errorf("GET: %s %s", a.Status, a.body)
	}
}

func TestServicePrincipal_SetSecret(t *testing.T) {
	f := newFixture(t)
	f.app.SetSecret("new-secret")
	f.app.AddSecret("newer-secret")
	for secret, want := range map[string]int{"planted-secret": 7000215, "new-secret": 0, "newer-secret": 0} {
		if got := f.app.authenticate(secret); got != want {
			t.Errorf("%s: %d", secret, got)
		}
		if f.FindCanary(secret) == "" {
			t.Errorf("%s is missing from the canaries", secret)
		}
	}
}

func TestEntra_discovery(t *testing.T) {
	f := newFixture(t)
	china := f.AddTenantAt("login.chinacloudapi.cn", "")
	const (
		public   = "https://login.microsoftonline.com/"
		openID   = "/v2.0/.well-known/openid-configuration"
		instance = public + "common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2F"
	)
	id := f.tenant.ID()
	for _, tt := range []struct {
		name, url string
		status    int
		want      string
	}{
		{
			"instance", instance + "login.windows.net%2Fcommon%2Foauth2%2Fv2.0%2Fauthorize", 200,
			`"tenant_discovery_endpoint":"https://login.windows.net/common` + openID + `"`,
		},
		{"unknown instance", instance + "evil.example%2Fcommon", 400, `"invalid_instance"`},
		{"tenant", public + id + openID + "?", 200, `"issuer":"` + public + id + `/v2.0"`},
		{
			"domain", public + "Contoso.onmicrosoft.com" + openID, 200,
			`"token_endpoint":"` + public + id + `/oauth2/v2.0/token"`,
		},
		{"organizations", public + "organizations" + openID, 200, `"issuer":"` + public + `{tenantid}/v2.0"`},
		{"unknown tenant", public + newGUID() + openID, 400, `"invalid_tenant"`},
		{
			"china", "https://login.partner.microsoftonline.cn/" + china.ID() + openID, 200,
			`"issuer":"https://login.partner.microsoftonline.cn/` + china.ID() + `/v2.0"`,
		},
		{"other cloud's tenant", "https://login.microsoftonline.us/" + china.ID() + openID, 400, "AADSTS90002"},
		{"keys", public + "common/discovery/v2.0/keys", 200, `"kid":"` + f.signer.kid + `"`},
		{"unknown path", public + "common/oauth2/v2.0/logout", 404, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := f.get(tt.url); a.StatusCode != tt.status || !strings.Contains(a.body, tt.want) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
}
