package azuretest

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"
)

// basic requests an access token by GET with Basic.
func (f *fixture) basic(user, password string, scopes ...string) (a response, granted string) {
	f.t.Helper()
	query := url.Values{"service": {testHost}, "scope": scopes}
	var header []string
	if user != "" {
		header = basicAuth(user, password)
	}
	a = f.get("https://"+testHost+"/oauth2/token?"+query.Encode(), header...)
	return a, f.granted(a)
}

// granted returns the access claim of an access token as scopes, or the error status.
func (f *fixture) granted(a response) string {
	if a.StatusCode != 200 {
		return a.Status[:3]
	}
	raw, _ := json.Marshal(claimsOf(f.t, a.field("access_token"))["access"])
	var list []access
	json.Unmarshal(raw, &list)
	var scopes []string
	for _, x := range list {
		scopes = append(scopes, x.String())
	}
	return strings.Join(scopes, " ")
}

func TestRegistry_token_with_Basic(t *testing.T) {
	f := newFixture(t)
	f.registry.SetAdmin("contoso", "admin-password")
	f.registry.AddScopedToken("ci", "scoped-password",
		map[string][]string{"app": {"pull"}, "team/*": {"pull", "push"}})
	pull := f.tenant.AddServicePrincipal("", "pull-secret")
	f.registry.Grant(pull, AcrPull)
	withoutRole := f.tenant.AddServicePrincipal("", "other-secret")
	refresh := f.registry.RefreshTokenFor(f.app)
	fabrikam := f.AddRegistry("fabrikam.azurecr.io", f.tenant)
	two := "repository:x:pull repository:y:pull"
	for _, tt := range []struct{ name, user, password, scope, want string }{
		{"admin", "contoso", "admin-password", "repository:x:pull,push,delete", "repository:x:pull,push,delete"},
		{"admin, all actions", "contoso", "admin-password", "repository:x:*", "repository:x:*"},
		{"admin, catalog", "contoso", "admin-password", "registry:catalog:*", "registry:catalog:*"},
		{"admin, wrong password", "contoso", "x", "repository:x:pull", "401"},
		{"unknown user", "unknown", "x", "repository:x:pull", "401"},
		{"scoped token", "ci", "scoped-password", "repository:app:pull,push", "repository:app:pull"},
		{"scoped token, prefix", "ci", "scoped-password", "repository:team/web:push", "repository:team/web:push"},
		{"scoped token, other repository", "ci", "scoped-password", "repository:x:pull", ""},
		{"scoped token, catalog", "ci", "scoped-password", "registry:catalog:*", ""},
		{"principal", pull.ClientID(), "pull-secret", "repository:x:pull,push", "repository:x:pull"},
		{"principal, all actions", pull.ClientID(), "pull-secret", "repository:x:*", "repository:x:metadata_read,pull"},
		{"principal, wrong secret", pull.ClientID(), "x", "repository:x:pull", "401"},
		{"principal, no role", withoutRole.ClientID(), "other-secret", "repository:x:pull", "401"},
		{"refresh token", nullGUID, refresh, "repository:x:pull,push", "repository:x:pull,push"},
		{"two scopes", nullGUID, refresh, two, two},
		{"helm", nullGUID, refresh, "artifact-repository:x:pull", "artifact-repository:x:pull"},
		{"no scope", nullGUID, refresh, "", ""},
		{"Entra token", nullGUID, f.app.AccessToken(acrResource, 0), "repository:x:pull", "401"},
		{"other registry's token", nullGUID, fabrikam.RefreshTokenFor(f.app), "repository:x:pull", "401"},
		{"access token as refresh token", nullGUID, f.acrToken(refresh), "", "401"},
		{"garbage", nullGUID, "x", "repository:x:pull", "401"},
		{"anonymous", "", "", "repository:x:pull", "401"},
		{"malformed scope", nullGUID, refresh, "repository:x", "400"},
		{"unknown scope", nullGUID, refresh, "plugin:x:pull", "400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a, got := f.basic(tt.user, tt.password, tt.scope); got != tt.want {
				t.Errorf("granted %q, want %q (%s)", got, tt.want, a.body)
			}
		})
	}
	if _, got := f.basic(nullGUID, refresh, strings.Fields(two)...); got != two {
		t.Errorf("repeated scope: %q", got)
	}
	f.AdvanceClock(3 * time.Hour)
	if _, got := f.basic(nullGUID, refresh, "repository:x:pull"); got != "401" {
		t.Errorf("expired refresh token: %q", got)
	}
}

func TestRegistry_token_with_POST(t *testing.T) {
	f := newFixture(t)
	f.registry.SetAdmin("contoso", "admin-password")
	refresh := f.registry.RefreshTokenFor(f.app)
	password := func(user, password string, more ...string) url.Values {
		v := form("grant_type", "password", "username", user, "password", password, "access_type", "offline")
		return changed(v, more...)
	}
	const granted = "repository:x:pull,push"
	for _, tt := range []struct {
		name    string
		form    url.Values
		want    string
		refresh string // "new" for any other than the one sent
	}{
		{"refresh token", form("grant_type", "refresh_token", "refresh_token", refresh), granted, ""},
		{"password", password(nullGUID, refresh), granted, refresh},
		{"password, not offline", password(nullGUID, refresh, "access_type", ""), granted, ""},
		{"principal", password(f.app.ClientID(), "planted-secret"), granted, "new"},
		{"admin user", password("contoso", "admin-password"), granted, ""},
		{"anonymous", form("grant_type", "password"), "401", ""},
		{"no refresh token", form("grant_type", "refresh_token"), "400", ""},
		{"no grant", form(), "400", ""},
		{"wrong service", password(nullGUID, refresh, "service", "fabrikam.azurecr.io"), "400", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.form.Set("scope", granted)
			if !tt.form.Has("service") {
				tt.form.Set("service", testHost)
			}
			a := f.post("https://"+testHost+"/oauth2/token", tt.form)
			got := a.field("refresh_token")
			if got != "" && got != refresh && claimsOf(t, got)["grant_type"] == "refresh_token" {
				got = "new"
			}
			if f.granted(a) != tt.want || got != tt.refresh {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	query := "?service=" + testHost + "&offline_token=true&client_id=docker&account=" + f.app.ClientID()
	a := f.get("https://"+testHost+"/oauth2/token"+query, basicAuth(f.app.ClientID(), "planted-secret")...)
	if a.field("refresh_token") == "" {
		t.Errorf("offline_token: %s %s", a.Status, a.body)
	}
}

func TestRegistry_AnonymousPull(t *testing.T) {
	f := newFixture(t)
	f.registry.AnonymousPull(true)
	_, got := f.basic("", "", "repository:x:pull,push registry:catalog:*")
	if got != "repository:x:pull registry:catalog:*" {
		t.Errorf("granted %q", got)
	}
	if _, got := f.basic(nullGUID, "stale", "repository:x:pull"); got != "401" {
		t.Errorf("wrong credential: %q", got)
	}
	f.want(401, "GET", "https://"+testHost+"/v2/", "")
}

func TestCloud_panics_on_set_up_mistakes(t *testing.T) {
	f := newFixture(t)
	for name, call := range map[string]func(){
		"unknown role":        func() { f.registry.Grant(f.app, "AcrPul") },
		"unknown authority":   func() { f.AddTenantAt("login.example", "") },
		"unknown kind":        func() { f.Seen("exchnage") },
		"unknown AADSTS code": func() { f.AADSTS(1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}
