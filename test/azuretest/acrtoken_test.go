package azuretest

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// ask gets an access token by Basic and returns its access as scopes.
func (w *world) ask(user, password string, scopes ...string) (a answer, granted string) {
	w.t.Helper()
	req := w.request("GET", "https://"+testHost+"/oauth2/token?"+url.Values{"service": {testHost}, "scope": scopes}.Encode(), "")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	a = w.do(req)
	return a, w.granted(a)
}

func (w *world) granted(a answer) string {
	if a.StatusCode != 200 {
		return a.Status[:3]
	}
	raw, _ := json.Marshal(claimsOf(w.t, a.field("access_token"))["access"])
	var list []access
	json.Unmarshal(raw, &list)
	var scopes []string
	for _, x := range list {
		scopes = append(scopes, x.String())
	}
	return strings.Join(scopes, " ")
}

func TestTokenByBasic(t *testing.T) {
	w := newWorld(t)
	w.registry.SetAdmin("contoso", "admin-password")
	w.registry.AddScopedToken("ci", "scoped-password", map[string][]string{"app": {"pull"}, "team/*": {"pull", "push"}})
	pull := w.tenant.AddServicePrincipal("", "pull-secret")
	w.registry.Grant(pull, AcrPull)
	stranger := w.tenant.AddServicePrincipal("", "stranger-secret")
	refresh := w.registry.RefreshTokenFor(w.app)
	fabrikam := w.AddRegistry("fabrikam.azurecr.io", w.tenant)
	tests := []struct{ name, user, password, scope, want string }{
		{"admin", "contoso", "admin-password", "repository:x:pull,push,delete", "repository:x:pull,push,delete"},
		{"admin, all", "contoso", "admin-password", "repository:x:*", "repository:x:*"},
		{"admin, catalog", "contoso", "admin-password", "registry:catalog:*", "registry:catalog:*"},
		{"admin, wrong password", "contoso", "x", "repository:x:pull", "401"},
		{"unknown user", "nobody", "x", "repository:x:pull", "401"},
		{"scoped", "ci", "scoped-password", "repository:app:pull,push", "repository:app:pull"},
		{"scoped, prefix", "ci", "scoped-password", "repository:team/web:push,pull", "repository:team/web:push,pull"},
		{"scoped, elsewhere", "ci", "scoped-password", "repository:x:pull", ""},
		{"scoped, catalog", "ci", "scoped-password", "registry:catalog:*", ""},
		{"principal", pull.ClientID(), "pull-secret", "repository:x:pull,push", "repository:x:pull"},
		{"principal, all", pull.ClientID(), "pull-secret", "repository:x:*", "repository:x:metadata_read,pull"},
		{"principal, wrong secret", pull.ClientID(), "x", "repository:x:pull", "401"},
		{"principal, no role", stranger.ClientID(), "stranger-secret", "repository:x:pull", "401"},
		{"refresh token", nullGUID, refresh, "repository:x:pull,push", "repository:x:pull,push"},
		{"old spelling", nullGUID, refresh, "repository:x:metadataRead", "repository:x:metadataRead"},
		{"two joined scopes", nullGUID, refresh, "repository:x:pull repository:y:pull", "repository:x:pull repository:y:pull"},
		{"helm", nullGUID, refresh, "artifact-repository:x:pull", "artifact-repository:x:pull"},
		{"no scope", nullGUID, refresh, "", ""},
		{"Entra token", nullGUID, w.app.AccessToken(acrResource, 0), "repository:x:pull", "repository:x:pull"},
		{"other registry's token", nullGUID, fabrikam.RefreshTokenFor(w.app), "repository:x:pull", "401"},
		{"access token as refresh token", nullGUID, w.access(refresh), "", "401"},
		{"garbage", nullGUID, "x", "repository:x:pull", "401"},
		{"anonymous", "", "", "repository:x:pull", "401"},
		{"bad scope", nullGUID, refresh, "repository:x", "400"},
		{"odd scope", nullGUID, refresh, "plugin:x:pull", "400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if a, got := w.ask(tt.user, tt.password, tt.scope); got != tt.want {
				t.Errorf("granted %q, want %q (%s)", got, tt.want, a.body)
			}
		})
	}
	if _, got := w.ask(nullGUID, refresh, "repository:x:pull", "repository:y:push"); got != "repository:x:pull repository:y:push" {
		t.Errorf("repeated scope: %q", got)
	}
	w.AdvanceClock(3 * time.Hour)
	if _, got := w.ask(nullGUID, refresh, "repository:x:pull"); got != "401" {
		t.Errorf("expired refresh token: %q", got)
	}
}

func TestTokenByPost(t *testing.T) {
	w := newWorld(t)
	refresh := w.registry.RefreshTokenFor(w.app)
	tests := []struct {
		name string
		form url.Values
		want string
	}{
		{"refresh token", form("grant_type", "refresh_token", "refresh_token", refresh), "repository:x:pull,push"},
		{"password", form("grant_type", "password", "username", nullGUID, "password", refresh), "repository:x:pull,push"},
		{"principal", form("grant_type", "password", "username", w.app.ClientID(), "password", "planted-secret"), "repository:x:pull,push"},
		{"anonymous", form("grant_type", "password"), "401"},
		{"no refresh token", form("grant_type", "refresh_token"), "400"},
		{"no grant", form(), "400"},
		{"wrong service", form("grant_type", "refresh_token", "refresh_token", refresh, "service", "fabrikam.azurecr.io"), "400"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.form
			v.Set("scope", "repository:x:pull,push")
			if !v.Has("service") {
				v.Set("service", testHost)
			}
			if a := w.post("https://"+testHost+"/oauth2/token", v); w.granted(a) != tt.want {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
}

func TestOfflineToken(t *testing.T) {
	w := newWorld(t)
	w.registry.SetAdmin("contoso", "admin-password")
	refresh := w.registry.RefreshTokenFor(w.app)
	ask := func(user, password string) string {
		req := w.request("GET", "https://"+testHost+"/oauth2/token?service="+testHost+"&offline_token=true&client_id=docker&account="+user, "")
		req.SetBasicAuth(user, password)
		return w.do(req).field("refresh_token")
	}
	if got := ask(nullGUID, refresh); got != refresh {
		t.Errorf("null GUID: %q", got)
	}
	if got := ask(w.app.ClientID(), "planted-secret"); claimsOf(t, got)["grant_type"] != "refresh_token" {
		t.Errorf("service principal: %q", got)
	}
	if got := ask("contoso", "admin-password"); got != "" {
		t.Errorf("admin user: %q", got)
	}
}

func TestAnonymousPull(t *testing.T) {
	w := newWorld(t)
	w.registry.AnonymousPull(true)
	if _, got := w.ask("", "", "repository:x:pull,push registry:catalog:*"); got != "repository:x:pull registry:catalog:*" {
		t.Errorf("granted %q", got)
	}
	if _, got := w.ask(nullGUID, "stale", "repository:x:pull"); got != "401" {
		t.Errorf("a wrong credential must not do better than none: %q", got)
	}
	if a := w.get("https://" + testHost + "/v2/"); a.StatusCode != 401 {
		t.Errorf("/v2/: %s", a.Status)
	}
}

func TestConditionalRoles(t *testing.T) {
	w := newWorld(t)
	reader := w.tenant.AddUser("ada@contoso.com")
	w.registry.Grant(reader, RepositoryReader, "app", "team/*")
	w.registry.Grant(reader, RepositoryWriter, "team/web")
	refresh := w.exchange(reader.AccessToken(acrResource, 0)).field("refresh_token")
	for scope, want := range map[string]string{
		"repository:app:pull,push":      "repository:app:pull",
		"repository:team/web:pull,push": "repository:team/web:pull,push",
		"repository:other:pull":         "",
		"registry:catalog:*":            "",
	} {
		if _, got := w.ask(nullGUID, refresh, scope); got != want {
			t.Errorf("%s: %q", scope, got)
		}
	}
	if a := w.exchange(w.app.AccessToken(acrResource, 0)); a.StatusCode != 401 {
		t.Errorf("AcrPush in ABAC mode: %s", a.Status)
	}
	w.registry.Grant(reader, CatalogLister)
	if _, got := w.ask(nullGUID, refresh, "registry:catalog:*"); got != "registry:catalog:*" {
		t.Errorf("catalog lister: %q", got)
	}
	w.registry.Revoke(reader)
	if _, got := w.ask(nullGUID, refresh, "repository:app:pull"); got != "" {
		t.Errorf("after its roles were taken away: %q", got)
	}
}

func TestMistakesPanic(t *testing.T) {
	w := newWorld(t)
	for name, f := range map[string]func(){
		"role":        func() { w.registry.Grant(w.app, "AcrPul") },
		"limits":      func() { w.registry.Grant(w.app, AcrPull, "app") },
		"authority":   func() { w.AddTenantAt("login.example", "") },
		"kind":        func() { w.Seen("exchnage") },
		"AADSTS code": func() { w.AADSTS(1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
