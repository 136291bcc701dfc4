package azuretest

import (
	"crypto/sha256"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	testVerifier = "0123456789-0123456789-0123456789-0123456789"
	testRedirect = "http://localhost:4711"
	userScopes   = acrScope + " openid profile offline_access"
)

// authorizeQuery returns a good request for the sign-in page, with changes.
func authorizeQuery(change ...string) url.Values {
	sum := sha256.Sum256([]byte(testVerifier))
	v := form("client_id", azureCLI, "response_type", "code", "redirect_uri", testRedirect, "scope", userScopes,
		"state", "st/ate", "response_mode", "query", "prompt", "select_account",
		"code_challenge", base64URL(sum[:]), "code_challenge_method", "S256")
	return changed(v, change...)
}

func (f *fixture) authorize(tenant string, query url.Values) response {
	f.t.Helper()
	return f.get("https://" + DefaultAuthority + "/" + tenant + "/oauth2/v2.0/authorize?" + query.Encode())
}

// redirectQuery returns what the page sends to the application.
func (r response) redirectQuery() url.Values {
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		return nil
	}
	return u.Query()
}

func (f *fixture) tokens(tenant string, form url.Values, header ...string) response {
	f.t.Helper()
	return f.post("https://"+DefaultAuthority+"/"+tenant+"/oauth2/v2.0/token", form, header...)
}

func (f *fixture) code(tenant string) string {
	f.t.Helper()
	code := f.authorize(tenant, authorizeQuery()).redirectQuery().Get("code")
	if code == "" {
		f.t.Fatalf("no code: %s", f.lastWhy())
	}
	return code
}

// redemption returns a good token request for a code, with changes.
func redemption(code string, change ...string) url.Values {
	v := form("grant_type", "authorization_code", "client_id", azureCLI, "code", code,
		"redirect_uri", testRedirect, "code_verifier", testVerifier, "scope", userScopes, "client_info", "1")
	return changed(v, change...)
}

func TestEntra_authorize_refuses(t *testing.T) {
	f := newFixture(t)
	f.SetBrowserUser(f.tenant.AddUser("ada@contoso.example"), SignIn)
	otherTenants := f.AddTenant("").AddPublicClient("")
	duplicate := authorizeQuery()
	duplicate.Add("state", "another")
	for _, tt := range []struct {
		name  string
		query url.Values
		code  string
		shown bool // to the user only
	}{
		{"no client", authorizeQuery("client_id", ""), "AADSTS900144", true},
		{"unknown client", authorizeQuery("client_id", newGUID()), "AADSTS700016", true},
		{"another tenant's client", authorizeQuery("client_id", otherTenants), "AADSTS700016", true},
		{"confidential client", authorizeQuery("client_id", f.app.ClientID()), "AADSTS700016", true},
		{"duplicate parameter", duplicate, "AADSTS9000411", true},
		{"no redirect", authorizeQuery("redirect_uri", ""), "AADSTS900971", true},
		{"other host", authorizeQuery("redirect_uri", "https://evil.example"), "AADSTS50011", true},
		{"https", authorizeQuery("redirect_uri", "https://localhost:4711"), "AADSTS50011", true},
		{"IP address", authorizeQuery("redirect_uri", "http://127.0.0.1:4711"), "AADSTS50011", true},
		{"path", authorizeQuery("redirect_uri", "http://localhost:4711/cb"), "AADSTS50011", true},
		{"look-alike host", authorizeQuery("redirect_uri", "http://localhost.evil.example"), "AADSTS50011", true},
		{"implicit flow", authorizeQuery("response_type", "token"), "AADSTS70005", false},
		{"no response type", authorizeQuery("response_type", ""), "AADSTS900144", false},
		{"fragment", authorizeQuery("response_mode", "fragment"), "AADSTS70007", false},
		{"no scope", authorizeQuery("scope", ""), "AADSTS900144", false},
		{"no offline_access", authorizeQuery("scope", acrScope+" openid profile"), "AADSTS70011", false},
		{
			"unknown resource", authorizeQuery("scope", strings.Replace(userScopes, "containerregistry", "x", 1)),
			"AADSTS500011", false,
		},
		{"no state", authorizeQuery("state", ""), "AADSTS900144", false},
		{"no challenge", authorizeQuery("code_challenge", ""), "AADSTS900144", false},
		{"plain challenge", authorizeQuery("code_challenge_method", "plain"), "AADSTS501491", false},
		{"short challenge", authorizeQuery("code_challenge", "abc"), "AADSTS501491", false},
		{"unknown prompt", authorizeQuery("prompt", "please"), "AADSTS90023", false},
		{"encoded claims", authorizeQuery("claims", "e30="), "AADSTS90100", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := f.authorize(f.tenant.ID(), tt.query)
			text := a.body
			if !tt.shown {
				text = a.redirectQuery().Get("error_description")
			}
			if !strings.Contains(text, tt.code+":") || tt.shown != (a.Header.Get("Location") == "") {
				t.Errorf("%s %v %s", a.Status, a.Header, a.body)
			}
			if f.lastWhy() != tt.code {
				t.Errorf("recorded %s", f.lastWhy())
			}
		})
	}
	if a := f.authorize(newGUID(), authorizeQuery()); !strings.Contains(a.body, "AADSTS90002") {
		t.Errorf("unknown tenant: %s", a.body)
	}
	if f.Seen(KindAuthorize) == 0 {
		t.Error("nothing recorded")
	}
}

func TestCloud_SetBrowserUser(t *testing.T) {
	f := newFixture(t)
	ada := f.tenant.AddUser("ada@contoso.example")
	guest := f.AddTenant("").Invite(ada)
	for action, want := range map[PageAction]string{Decline: "AADSTS65004", Cancel: ""} {
		f.SetBrowserUser(ada, action)
		got := f.authorize("organizations", authorizeQuery()).redirectQuery()
		if got.Get("error") != "access_denied" || got.Get("state") != "st/ate" ||
			!strings.HasPrefix(got.Get("error_description"), want) {
			t.Errorf("%s: %v", action, got)
		}
	}
	f.SetBrowserUser(nil, "")
	a := f.authorize("organizations", authorizeQuery("response_mode", "form_post"))
	if n := strings.Count(a.body, ">Sign in as ada@contoso.example<"); n != 1 {
		t.Errorf("%d buttons: %s", n, a.body)
	}
	// The browser ends at the redirect URI, where nothing listens.
	if _, err := f.Browse(a.Request.URL.String(), ada); err == nil || !strings.Contains(err.Error(), "localhost:4711") {
		t.Errorf("browsing ended with %v", err)
	}
	f.SetBrowserUser(ada, SignIn)
	if a := f.authorize(f.AddTenant("").ID(), authorizeQuery()); !strings.Contains(a.body, "AADSTS50020") {
		t.Errorf("a tenant without the user: %s", a.body)
	}
	id := guest.Tenant().ID()
	c := claimsOf(t, f.tokens(id, redemption(f.code(id))).field("access_token"))
	if c["oid"] != guest.ObjectID() || c["tid"] != id || !strings.Contains(c["idp"].(string), f.tenant.ID()) {
		t.Errorf("the guest's token: %v", c)
	}
}

func TestEntra_redeemCode(t *testing.T) {
	f := newFixture(t)
	ada := f.tenant.AddUser("ada@contoso.example")
	f.registry.Grant(ada, AcrPull)
	f.SetBrowserUser(ada, SignIn)
	own := f.tenant.AddPublicClient("")
	other := f.AddTenant("")
	for _, tt := range []struct {
		name, tenant string
		change       []string
		want         string
	}{
		{"no code", "common", []string{"code", ""}, "AADSTS900144"},
		{"unknown code", "common", []string{"code", "1.AX"}, "AADSTS9002313"},
		{"no verifier", "common", []string{"code_verifier", ""}, "AADSTS501481"},
		{"other verifier", "common", []string{"code_verifier", strings.Repeat("x", 43)}, "AADSTS501481"},
		{"other redirect", "common", []string{"redirect_uri", "http://localhost:4712"}, "AADSTS500112"},
		{"other client", "common", []string{"client_id", own}, "AADSTS70000"},
		{"other tenant", other.ID(), nil, "AADSTS700005"},
		{"secret", "common", []string{"client_secret", "planted-secret"}, "AADSTS700025"},
		{"confidential client", f.tenant.ID(), []string{"client_id", f.app.ClientID()}, "AADSTS7000218"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := f.tokens(tt.tenant, redemption(f.code("common"), tt.change...))
			if !strings.Contains(a.body, tt.want+":") {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	code := f.code("organizations")
	a := f.tokens("organizations", redemption(code))
	if a.StatusCode != 200 || f.exchange(a.field("access_token")).StatusCode != 200 ||
		a.field("foci") != "1" || a.field("client_info") == "" {
		t.Errorf("%s %s", a.Status, a.body)
	}
	for _, secret := range []string{code, a.field("refresh_token"), a.field("id_token"), a.field("access_token")} {
		if secret == "" || f.FindCanary("<"+secret+">") == "" {
			t.Errorf("%.20s… is missing from the canaries", secret)
		}
	}
	if a := f.tokens("organizations", redemption(code)); !strings.Contains(a.body, "AADSTS54005") {
		t.Errorf("again: %s", a.body)
	}
	old := f.code("common")
	f.AdvanceClock(11 * time.Minute)
	if a := f.tokens("common", redemption(old)); !strings.Contains(a.body, "AADSTS70008") {
		t.Errorf("late: %s", a.body)
	}
}

func TestEntra_refresh(t *testing.T) {
	f := newFixture(t)
	ada := f.tenant.AddUser("ada@contoso.example")
	f.SetBrowserUser(ada, SignIn)
	refresh := func(token string, change ...string) response {
		v := form("grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", token, "scope", userScopes)
		return f.tokens("organizations", changed(v, change...))
	}
	newToken := func() string {
		return f.tokens("organizations", redemption(f.code("organizations"))).field("refresh_token")
	}
	first := newToken()
	second := refresh(first).field("refresh_token")
	if second == "" || second == first || refresh(first).StatusCode != 200 || refresh(second).StatusCode != 200 {
		t.Error("old tokens should stay valid")
	}
	for _, tt := range []struct {
		name   string
		change func()
		want   string
	}{
		{"RevokeSessions", ada.RevokeSessions, "AADSTS50173"},
		{"inactivity", func() { f.AdvanceClock(inactivity) }, "AADSTS700082"},
		{"Block", func() { f.tenant.Block(53003) }, "AADSTS53003"},
		{"StepUp", func() { f.tenant.StepUp() }, `"claims":"{\"access_token\":{\"capolids\":`},
		{"SingleUseRefreshTokens", f.tenant.SingleUseRefreshTokens, "access_token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.tenant.Block(0)
			token := newToken()
			tt.change()
			if a := refresh(token); !strings.Contains(a.body, tt.want) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	token := newToken()
	refresh(token)
	for name, a := range map[string]response{
		"used twice":     refresh(token),
		"unknown":        refresh("1.AX"),
		"other client":   refresh(newToken(), "client_id", f.tenant.AddPublicClient("")),
		"no scope":       refresh(newToken(), "scope", ""),
		"unknown client": refresh(newToken(), "client_id", newGUID()),
	} {
		if a.StatusCode != 400 {
			t.Errorf("%s: %s %s", name, a.Status, a.body)
		}
	}
}
