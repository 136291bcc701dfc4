package azuretest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTokenEndpointRefuses(t *testing.T) {
	w := newWorld(t)
	w.app.AddSecret("old-secret")
	w.app.ExpireSecret("old-secret")
	off := w.tenant.AddServicePrincipal("", "s")
	off.Disable()
	china := w.AddTenantAt("login.chinacloudapi.cn", "")
	id := w.app.ClientID()
	good := func(change ...string) []string {
		return append(change, "grant_type", "client_credentials", "client_id", id, "client_secret", "planted-secret", "scope", acrScope)
	}
	tests := []struct {
		name, tenant string
		form         []string // of doubled names, the first counts
		status, code int
		error        string
	}{
		{"unknown app", "", good("client_id", newGUID()), 400, 700016, "unauthorized_client"},
		{"wrong secret", "", good("client_secret", "x"), 401, 7000215, "invalid_client"},
		{"expired secret", "", good("client_secret", "old-secret"), 401, 7000222, "invalid_client"},
		{"no secret", "", good("client_secret", ""), 401, 7000218, "invalid_client"},
		{"unregistered certificate", "", good("client_assertion", "a.b.c"), 401, 700027, "invalid_client"},
		{"disabled app", "", good("client_id", off.ClientID(), "client_secret", "s"), 400, 7000112, "unauthorized_client"},
		{"unknown tenant", newGUID(), good(), 400, 90002, "invalid_request"},
		{"other cloud's tenant", china.ID(), good(), 400, 900382, "invalid_request"},
		{"common", "common", good(), 400, 9001023, "invalid_request"},
		{"organizations", "organizations", good(), 400, 90130, "invalid_request"},
		{"no grant", "", good("grant_type", ""), 400, 900144, "invalid_request"},
		{"unknown grant", "", good("grant_type", "password"), 400, 70003, "unsupported_grant_type"},
		{"no client id", "", good("client_id", ""), 400, 900144, "invalid_request"},
		{"no scope", "", good("scope", ""), 400, 900144, "invalid_request"},
		{"two resources", "", good("scope", acrScope+" https://management.azure.com/.default"), 400, 70011, "invalid_scope"},
		{"no .default", "", good("scope", acrResource+"/pull"), 400, 70011, "invalid_scope"},
		{"the registry as resource", "", good("scope", "https://"+testHost+"/.default"), 400, 500011, "invalid_resource"},
		{"other cloud's resource", "", good("scope", "https://management.chinacloudapi.cn/.default"), 400, 500011, "invalid_resource"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tenant := tt.tenant
			if tenant == "" {
				tenant = w.tenant.ID()
			}
			correlation := newGUID()
			a := w.post("https://login.microsoftonline.com/"+tenant+"/oauth2/v2.0/token", form(tt.form...), "Client-Request-Id", correlation)
			var body entraError
			if err := json.Unmarshal(a.body, &body); err != nil {
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

func TestTokenEndpointGrants(t *testing.T) {
	w := newWorld(t)
	at := time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC)
	w.SetClock(func() time.Time { return at })
	url := "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"
	v := form("grant_type", "client_credentials", "client_id", w.app.ClientID(), "client_secret", "planted-secret",
		"scope", acrScope+" openid offline_access profile")
	a := w.post(url, v)
	if a.StatusCode != 200 || a.Header.Get("Cache-Control") != "no-store, no-cache" || a.Header.Get("Date") != "Sun, 04 May 2031 03:02:01 GMT" {
		t.Fatalf("%s %v %s", a.Status, a.Header, a.body)
	}
	c := claimsOf(t, a.field("access_token"))
	for name, want := range map[string]any{
		"aud": acrResource, "tid": w.tenant.ID(), "oid": w.app.ObjectID(), "appid": w.app.ClientID(), "ver": "1.0",
		"iss": "https://sts.windows.net/" + w.tenant.ID() + "/", "exp": float64(at.Add(75 * time.Minute).Unix()),
	} {
		if c[name] != want {
			t.Errorf("%s = %v, want %v", name, c[name], want)
		}
	}
	v.Set("claims", `{"access_token":{"xms_cc":{"values":["CP1"]}}}`)
	if a := w.post(url, v); !strings.Contains(string(a.body), `"expires_in":86399`) {
		t.Errorf("with CP1: %s", a.body)
	}
	if a := w.get(url); a.StatusCode != 400 || !strings.Contains(string(a.body), "AADSTS900561") {
		t.Errorf("GET: %s %s", a.Status, a.body)
	}
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t)
	china := w.AddTenantAt("login.chinacloudapi.cn", "")
	tests := []struct {
		name, url string
		status    int
		want      string
	}{
		{
			"instance", "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Flogin.windows.net%2Fcommon%2Foauth2%2Fv2.0%2Fauthorize", 200,
			`"tenant_discovery_endpoint":"https://login.windows.net/common/v2.0/.well-known/openid-configuration"`,
		},
		{"unknown instance", "https://login.microsoftonline.com/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Fevil.example%2Fcommon", 400, `"invalid_instance"`},
		{
			"tenant", "https://login.microsoftonline.com/" + w.tenant.ID() + "/v2.0/.well-known/openid-configuration?", 200,
			`"issuer":"https://login.microsoftonline.com/` + w.tenant.ID() + `/v2.0"`,
		},
		{"domain", "https://login.microsoftonline.com/Contoso.onmicrosoft.com/v2.0/.well-known/openid-configuration", 200, `"token_endpoint":"https://login.microsoftonline.com/` + w.tenant.ID() + `/oauth2/v2.0/token"`},
		{"version 1.0", "https://login.microsoftonline.com/" + w.tenant.ID() + "/.well-known/openid-configuration", 200, `"issuer":"https://sts.windows.net/` + w.tenant.ID() + `/"`},
		{"organizations", "https://login.microsoftonline.com/organizations/v2.0/.well-known/openid-configuration", 200, `"issuer":"https://login.microsoftonline.com/{tenantid}/v2.0"`},
		{"unknown tenant", "https://login.microsoftonline.com/" + newGUID() + "/v2.0/.well-known/openid-configuration", 400, `"invalid_tenant"`},
		{"china", "https://login.partner.microsoftonline.cn/" + china.ID() + "/v2.0/.well-known/openid-configuration", 200, `"cloud_instance_name":"partner.microsoftonline.cn"`},
		{"china's tenant elsewhere", "https://login.microsoftonline.us/" + china.ID() + "/v2.0/.well-known/openid-configuration", 400, "AADSTS90002"},
		{"keys", "https://login.microsoftonline.com/common/discovery/v2.0/keys", 200, `"kid":"` + w.signer.kid + `"`},
		{"not there", "https://login.microsoftonline.com/common/oauth2/v2.0/logout", 404, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.get(tt.url); a.StatusCode != tt.status || !strings.Contains(string(a.body), tt.want) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
}
