package azuretest

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChallenge(t *testing.T) {
	w := newWorld(t)
	const realm = `Bearer realm="https://contoso.azurecr.io/oauth2/token",service="contoso.azurecr.io"`
	tests := []struct{ method, path, header, detail string }{
		{"GET", "/v2/", realm, ""},
		{"GET", "/v2/_catalog", realm + `,scope="registry:catalog:*"`, `"detail":[{"Type":"registry","Name":"catalog","Action":"*"}]`},
		{"GET", "/acr/v1/_catalog", realm + `,scope="registry:catalog:*"`, `"Name":"catalog"`},
		{"GET", "/v2/team/app/manifests/v1", realm + `,scope="repository:team/app:pull"`, `"Action":"pull"`},
		{"GET", "/v2/team/app/tags/list", realm + `,scope="repository:team/app:pull"`, `"Action":"pull"`},
		{"POST", "/v2/app/blobs/uploads/", realm + `,scope="repository:app:pull,push"`, `"Action":"push"`},
		{"DELETE", "/v2/app/manifests/v1", realm + `,scope="repository:app:delete"`, `"Action":"delete"`},
	}
	for _, tt := range tests {
		a := w.do(w.request(tt.method, "https://"+testHost+tt.path, ""))
		if got := a.Header["Www-Authenticate"]; a.StatusCode != 401 || !slices.Equal(got, []string{tt.header}) {
			t.Errorf("%s %s: %s %q", tt.method, tt.path, a.Status, got)
		}
		if !strings.Contains(string(a.body), `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit https://aka.ms/acr/authorization for more information."`) ||
			!strings.Contains(string(a.body), tt.detail) {
			t.Errorf("%s %s: %s", tt.method, tt.path, a.body)
		}
		if len(a.Header["Access-Control-Expose-Headers"]) != 4 || len(a.Header["Strict-Transport-Security"]) != 2 ||
			a.Header.Get("Server") != "openresty" || a.Header.Get("X-Ms-Correlation-Request-Id") == "" {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, a.Header)
		}
	}
}

func TestExchange(t *testing.T) {
	w := newWorld(t)
	at := time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC)
	w.SetClock(func() time.Time { return at })
	a := w.exchange(w.app.AccessToken(acrResource, 0))
	if a.StatusCode != 200 || a.ContentLength != -1 || a.Header.Get("X-Ms-Ratelimit-Remaining-Calls-Per-Second") != "166.533333" {
		t.Fatalf("%s length %d %v", a.Status, a.ContentLength, a.Header)
	}
	token := a.field("refresh_token")
	if string(a.body) != `{"refresh_token":"`+token+`"}` {
		t.Errorf("body %s", a.body)
	}
	for name, want := range map[string]any{
		"iss": "Azure Container Registry", "aud": testHost, "version": "1.0", "grant_type": "refresh_token", "tenant": w.tenant.ID(),
		"iat": float64(at.Unix()), "exp": float64(at.Add(3 * time.Hour).Unix()), "sub": w.app.ClientID(),
	} {
		if got := claimsOf(t, token)[name]; got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if len(token) < 700 || len(token) > 1400 {
		t.Errorf("a refresh token of %d bytes is not like Azure's", len(token))
	}
}

func TestExchangeRefuses(t *testing.T) {
	w := newWorld(t)
	stranger := w.tenant.AddServicePrincipal("", "")
	foreign := w.AddTenant("").AddServicePrincipal("", "")
	w.registry.Grant(foreign, Owner) // even so: another tenant's token
	other := Start(t)
	forger := other.AddTenant(w.tenant.ID()).AddServicePrincipal(w.app.ClientID(), "")
	good := w.app.AccessToken(acrResource, 0)
	tests := []struct {
		name   string
		form   url.Values // laid over a good one
		status int
		why    string
	}{
		{"deprecated: both tokens", form("grant_type", "access_token_refresh_token", "refresh_token", "r"), 400, "deprecated grant access_token_refresh_token"},
		{"deprecated: refresh token", form("grant_type", "refresh_token", "refresh_token", "r"), 400, "deprecated grant refresh_token"},
		{"no grant", form("grant_type", ""), 400, "missing or unknown grant_type"},
		{"a refresh token besides", form("refresh_token", "r"), 400, "refresh_token has no place in this grant"},
		{"wrong service", form("service", "fabrikam.azurecr.io"), 400, "wrong service"},
		{"no JWT", form("access_token", "abc"), 400, "malformed access_token"},
		{"other tenant field", form("tenant", foreign.Tenant().ID()), 401, "tenant is not the registry's"},
		{"no role", form("access_token", stranger.AccessToken(acrResource, 0)), 401, "no role"},
		{"wrong audience", form("access_token", w.app.AccessToken("https://graph.microsoft.com", 0)), 401, "wrong audience https://graph.microsoft.com"},
		{"expired", form("access_token", w.app.AccessToken(acrResource, -time.Second)), 401, "access token expired"},
		{"other tenant", form("access_token", foreign.AccessToken(acrResource, 0)), 401, "token of another tenant"},
		{"other signer", form("access_token", forger.AccessToken(acrResource, 0)), 401, "signed by a stranger"},
		{"changed", form("access_token", good[:len(good)-8]+"AAAAAAAA"), 401, "bad signature"},
		{"an ACR token", form("access_token", w.registry.RefreshTokenFor(w.app)), 401, "not an Entra token"},
		{"huge", form("access_token", strings.Repeat("a", maxForm)), 413, "form longer than 16384"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := form("grant_type", "access_token", "service", testHost, "access_token", good, "tenant", w.tenant.ID())
			for name, values := range tt.form {
				v[name] = values
			}
			a := w.post("https://"+testHost+"/oauth2/exchange", v)
			if a.StatusCode != tt.status || w.lastWhy() != tt.why {
				t.Fatalf("%s, because %q: %s", a.Status, w.lastWhy(), a.body)
			}
			want := `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit https://aka.ms/acr/authorization for more information. CorrelationId: ` +
				a.Header.Get("X-Ms-Correlation-Request-Id") + `"}]}` + "\n"
			if tt.status == 401 && string(a.body) != want {
				t.Errorf("body %s", a.body)
			}
		})
	}
	if a := w.get("https://" + testHost + "/oauth2/exchange"); a.StatusCode != 404 {
		t.Errorf("GET: %s", a.Status)
	}
}

func TestRegistryKnobs(t *testing.T) {
	w := newWorld(t)
	arm := w.app.AccessToken("https://management.azure.com/", 0)
	if a := w.exchange(arm); a.StatusCode != 200 {
		t.Errorf("ARM audience by default: %s", a.Status)
	}
	w.registry.ARMAudience(false)
	if a := w.exchange(arm); a.StatusCode != 401 {
		t.Errorf("ARM audience forbidden: %s", a.Status)
	}
	good := w.app.AccessToken(acrResource, 0)
	w.registry.Throttle(1, "7")
	if a := w.exchange(good); a.StatusCode != 429 || a.Header.Get("Retry-After") != "7" || !strings.Contains(string(a.body), "TOOMANYREQUESTS") {
		t.Errorf("throttled: %s %v %s", a.Status, a.Header, a.body)
	}
	w.registry.Firewall("203.0.113.7")
	for _, a := range []answer{w.exchange(good), w.get("https://" + testHost + "/v2/")} {
		if a.StatusCode != 403 || !strings.Contains(string(a.body), `"DENIED","message":"client with IP '203.0.113.7' is not allowed access. Refer https://aka.ms/acr/firewall to grant access. CorrelationId: `) {
			t.Errorf("firewall: %s %s", a.Status, a.body)
		}
	}
	w.registry.Firewall("")
	w.registry.RefreshTokenLife(20 * time.Minute)
	c := claimsOf(t, w.exchange(good).field("refresh_token"))
	if c["exp"].(float64)-c["iat"].(float64) != 1200 {
		t.Errorf("life: %v", c)
	}
	w.registry.Revoke(w.app)
	if a := w.exchange(good); a.StatusCode != 401 {
		t.Errorf("revoked: %s", a.Status)
	}
}

func TestTokenShapes(t *testing.T) {
	w := newWorld(t)
	good := w.app.AccessToken(acrResource, 0)
	w.registry.ShapeRefreshTokens(TokenShape{Audience: "fabrikam.azurecr.io"})
	if c := claimsOf(t, w.exchange(good).field("refresh_token")); c["aud"] != "fabrikam.azurecr.io" {
		t.Errorf("audience: %v", c)
	}
	w.registry.ShapeRefreshTokens(TokenShape{Expired: true})
	if c := claimsOf(t, w.exchange(good).field("refresh_token")); int64(c["exp"].(float64)) >= w.Now().Unix()-3500 {
		t.Errorf("expired: %v", c)
	}
	w.registry.ShapeRefreshTokens(TokenShape{Padding: 20000})
	if n := len(w.exchange(good).field("refresh_token")); n < 20000 {
		t.Errorf("huge: %d", n)
	}
	w.registry.ShapeRefreshTokens(TokenShape{Opaque: true})
	token := w.exchange(good).field("refresh_token")
	if strings.Contains(token, ".") || w.FindCanary("x"+token) != token {
		t.Errorf("opaque: %q", token)
	}
	if got := claimsOf(t, w.access(token, "repository:a:pull"))["access"]; len(got.([]any)) != 1 {
		t.Errorf("an opaque token grants %v", got)
	}
}

func TestRegion(t *testing.T) {
	w := newWorld(t)
	const region = "contoso.westeurope.geo.azurecr.io"
	w.registry.AddRegion(region)
	a := w.get("https://" + region + "/v2/")
	if got := a.Header.Get("Www-Authenticate"); got != `Bearer realm="https://`+region+`/oauth2/token",service="`+testHost+`"` {
		t.Errorf("challenge %s", got)
	}
	for _, service := range []string{region, testHost} {
		a = w.post("https://"+region+"/oauth2/exchange", form("grant_type", "access_token", "service", service, "access_token", w.app.AccessToken(acrResource, 0)))
		if a.StatusCode != 200 || claimsOf(t, a.field("refresh_token"))["aud"] != testHost {
			t.Errorf("service %s: %s %s", service, a.Status, a.body)
		}
	}
}

func TestHeaderTooLong(t *testing.T) {
	w := newWorld(t)
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(nullGUID+":"+strings.Repeat("a", 6100)))
	a := w.get("https://"+testHost+"/oauth2/token?service="+testHost, "Authorization", basic)
	if a.StatusCode != 400 || !strings.Contains(string(a.body), "Request Header Or Cookie Too Large") {
		t.Errorf("%s %s", a.Status, a.body)
	}
}
