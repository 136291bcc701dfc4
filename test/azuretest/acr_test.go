package azuretest

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRegistry_challenge(t *testing.T) {
	f := newFixture(t)
	const realm = `Bearer realm="https://contoso.azurecr.io/oauth2/token",service="contoso.azurecr.io"`
	catalog := `"detail":[{"Type":"registry","Name":"catalog","Action":"*"}]`
	for _, tt := range []struct{ method, path, header, detail string }{
		{"GET", "/v2/", realm, ""},
		{"GET", "/v2/_catalog", realm + `,scope="registry:catalog:*"`, catalog},
		{"GET", "/acr/v1/_catalog", realm + `,scope="registry:catalog:*"`, catalog},
		{"GET", "/v2/team/app/manifests/v1", realm + `,scope="repository:team/app:pull"`, `"Action":"pull"`},
		{"GET", "/v2/team/app/tags/list", realm + `,scope="repository:team/app:pull"`, `"Action":"pull"`},
		{"POST", "/v2/app/blobs/uploads/", realm + `,scope="repository:app:pull,push"`, `"Action":"push"`},
		{"DELETE", "/v2/app/manifests/v1", realm + `,scope="repository:app:delete"`, `"Action":"delete"`},
	} {
		a := f.want(401, tt.method, "https://"+testHost+tt.path, "")
		if got := a.Header["Www-Authenticate"]; !slices.Equal(got, []string{tt.header}) {
			t.Errorf("%s %s: %q", tt.method, tt.path, got)
		}
		if !strings.Contains(a.body, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, `+
			`visit https://aka.ms/acr/authorization for more information."`) || !strings.Contains(a.body, tt.detail) {
			t.Errorf("%s %s: %s", tt.method, tt.path, a.body)
		}
		if len(a.Header["Access-Control-Expose-Headers"]) != 4 || len(a.Header["Strict-Transport-Security"]) != 2 ||
			a.Header.Get("Server") != "openresty" || a.Header.Get("X-Ms-Correlation-Request-Id") == "" {
			t.Errorf("%s %s: headers %v", tt.method, tt.path, a.Header)
		}
	}
}

func TestRegistry_exchange(t *testing.T) {
	f := newFixture(t)
	at := time.Date(2031, 5, 4, 3, 2, 1, 0, time.UTC)
	f.SetClock(func() time.Time { return at })
	a := f.exchange(f.app.AccessToken(acrResource, 0))
	if a.StatusCode != 200 || a.ContentLength != -1 ||
		a.Header.Get("X-Ms-Ratelimit-Remaining-Calls-Per-Second") != "166.533333" {
		t.Fatalf("%s length %d %v", a.Status, a.ContentLength, a.Header)
	}
	token := a.field("refresh_token")
	if a.body != `{"refresh_token":"`+token+`"}` {
		t.Errorf("body %s", a.body)
	}
	for name, want := range map[string]any{
		"iss": "Azure Container Registry", "aud": testHost, "version": "1.0", "grant_type": "refresh_token",
		"tenant": f.tenant.ID(), "sub": f.app.ClientID(),
		"iat": float64(at.Unix()), "exp": float64(at.Add(3 * time.Hour).Unix()),
	} {
		if got := claimsOf(t, token)[name]; got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if len(token) < 700 || len(token) > 1400 {
		t.Errorf("the refresh token has %d bytes, unlike Azure's", len(token))
	}
	if a := f.exchange(f.app.AccessToken("https://management.azure.com/", 0)); a.StatusCode != 200 {
		t.Errorf("audience Resource Manager: %s", a.Status)
	}
}

func TestRegistry_exchange_refuses(t *testing.T) {
	f := newFixture(t)
	withoutRole := f.tenant.AddServicePrincipal("", "")
	otherTenant := f.AddTenant("").AddServicePrincipal("", "")
	f.registry.Grant(otherTenant, AcrPull)
	otherCloud := Start(t).AddTenant(f.tenant.ID()).AddServicePrincipal(f.app.ClientID(), "")
	good := f.app.AccessToken(acrResource, 0)
	token := func(p Principal, audience string, ttl time.Duration) url.Values {
		return form("access_token", p.AccessToken(audience, ttl))
	}
	for _, tt := range []struct {
		name   string
		form   url.Values // replaces values of a good one
		status int
		why    string
	}{
		{"both tokens", form("grant_type", "access_token_refresh_token"), 400, "deprecated grant access_token_refresh_token"},
		{"Entra refresh token", form("grant_type", "refresh_token"), 400, "deprecated grant refresh_token"},
		{"no grant", form("grant_type", ""), 400, "missing or unknown grant_type"},
		{"refresh token too", form("refresh_token", "r"), 400, "refresh_token doesn't belong to this grant"},
		{"wrong service", form("service", "fabrikam.azurecr.io"), 400, "wrong service"},
		{"no JWT", form("access_token", "abc"), 400, "malformed access_token"},
		{"other tenant parameter", form("tenant", otherTenant.Tenant().ID()), 401, "tenant is not the registry's"},
		{"no role", token(withoutRole, acrResource, 0), 401, "no role"},
		{"wrong audience", token(f.app, "https://graph.example", 0), 401, "wrong audience https://graph.example"},
		{"expired", token(f.app, acrResource, -time.Second), 401, "access token expired"},
		{"other tenant", token(otherTenant, acrResource, 0), 401, "token of another tenant"},
		{"other cloud", token(otherCloud, acrResource, 0), 401, "unknown signing key"},
		{"changed signature", form("access_token", good[:len(good)-8]+"AAAAAAAA"), 401, "bad signature"},
		{"ACR token", form("access_token", f.registry.RefreshTokenFor(f.app)), 401, "not an Entra token"},
		{"too long", form("access_token", strings.Repeat("a", maxForm)), 413, "form longer than 16384"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := form("grant_type", "access_token", "service", testHost, "access_token", good, "tenant", f.tenant.ID())
			for name, values := range tt.form {
				v[name] = values
			}
			a := f.post(exchangeURL, v)
			if a.StatusCode != tt.status || f.lastWhy() != tt.why {
				t.Fatalf("%s, because %q: %s", a.Status, f.lastWhy(), a.body)
			}
			want := `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required, visit ` +
				`https://aka.ms/acr/authorization for more information. CorrelationId: ` +
				a.Header.Get("X-Ms-Correlation-Request-Id") + `"}]}` + "\n"
			if tt.status == 401 && a.body != want {
				t.Errorf("body %s", a.body)
			}
		})
	}
	f.want(404, "GET", exchangeURL, "")
}

func TestRegistry_settings(t *testing.T) {
	f := newFixture(t)
	good := f.app.AccessToken(acrResource, 0)
	t.Run("Throttle", func(t *testing.T) {
		f.registry.Throttle(1, "7")
		a := f.exchange(good)
		if a.StatusCode != 429 || a.Header.Get("Retry-After") != "7" || !strings.Contains(a.body, "TOOMANYREQUESTS") {
			t.Errorf("%s %v %s", a.Status, a.Header, a.body)
		}
	})
	t.Run("Firewall", func(t *testing.T) {
		f.registry.Firewall("203.0.113.7")
		defer f.registry.Firewall("")
		want := `"DENIED","message":"client with IP '203.0.113.7' is not allowed access. ` +
			`Refer https://aka.ms/acr/firewall to grant access. CorrelationId: `
		for _, a := range []response{f.exchange(good), f.get("https://" + testHost + "/v2/")} {
			if a.StatusCode != 403 || !strings.Contains(a.body, want) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		}
	})
	t.Run("RefreshTokenLifetime", func(t *testing.T) {
		f.registry.RefreshTokenLifetime(20 * time.Minute)
		if got := lifetimeOf(t, f.exchange(good).field("refresh_token")); got != 1200 {
			t.Errorf("%v s", got)
		}
	})
	t.Run("Revoke", func(t *testing.T) {
		refresh := f.registry.RefreshTokenFor(f.app)
		f.registry.Revoke(f.app)
		if a := f.exchange(good); a.StatusCode != 401 {
			t.Errorf("%s", a.Status)
		}
		if _, got := f.basic(nullGUID, refresh, "repository:app:pull"); got != "" {
			t.Errorf("an earlier refresh token grants %q", got)
		}
	})
	t.Run("AddRegistry", func(t *testing.T) {
		if r := f.AddRegistry("Fabrikam.azurecr.io", f.tenant); r.Host() != "fabrikam.azurecr.io" {
			t.Errorf("host %s", r.Host())
		}
		f.want(401, "GET", "https://fabrikam.azurecr.io/v2/", "")
	})
}

func TestRegistry_ShapeRefreshTokens(t *testing.T) {
	f := newFixture(t)
	issue := func(shape TokenShape) string {
		f.registry.ShapeRefreshTokens(shape)
		return f.exchange(f.app.AccessToken(acrResource, 0)).field("refresh_token")
	}
	if c := claimsOf(t, issue(TokenShape{Audience: "fabrikam.azurecr.io"})); c["aud"] != "fabrikam.azurecr.io" {
		t.Errorf("audience: %v", c)
	}
	if c := claimsOf(t, issue(TokenShape{Expired: true})); int64(c["exp"].(float64)) >= f.Now().Unix()-3500 {
		t.Errorf("expired: %v", c)
	}
	if n := len(issue(TokenShape{Padding: 20000})); n < 20000 {
		t.Errorf("padding: %d bytes", n)
	}
	token := issue(TokenShape{Opaque: true})
	if strings.Contains(token, ".") || f.FindCanary("x"+token) != token {
		t.Errorf("opaque: %q", token)
	}
	if got := claimsOf(t, f.acrToken(token, "repository:a:pull"))["access"]; len(got.([]any)) != 1 {
		t.Errorf("an opaque token grants %v", got)
	}
}

func TestRegistry_AddRegion(t *testing.T) {
	f := newFixture(t)
	const region = "contoso.westeurope.geo.azurecr.io"
	f.registry.AddRegion(region)
	got := f.get("https://" + region + "/v2/").Header.Get("Www-Authenticate")
	if got != `Bearer realm="https://`+region+`/oauth2/token",service="`+testHost+`"` {
		t.Errorf("challenge %s", got)
	}
	for _, service := range []string{region, testHost} {
		a := f.post("https://"+region+"/oauth2/exchange", form("grant_type", "access_token", "service", service,
			"access_token", f.app.AccessToken(acrResource, 0)))
		if a.StatusCode != 200 || claimsOf(t, a.field("refresh_token"))["aud"] != testHost {
			t.Errorf("service %s: %s %s", service, a.Status, a.body)
		}
	}
}
