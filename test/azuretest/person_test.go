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

// ask is a good request for a sign-in page, with changes; "" takes one away.
func ask(change ...string) url.Values {
	sum := sha256.Sum256([]byte(testVerifier))
	v := form("client_id", azureCLI, "response_type", "code", "redirect_uri", testRedirect, "scope", userScopes, "state", "st/ate",
		"response_mode", "query", "code_challenge", base64URL(sum[:]), "code_challenge_method", "S256", "prompt", "select_account")
	return changed(v, change)
}

func changed(v url.Values, change []string) url.Values {
	for i := 0; i < len(change); i += 2 {
		v.Set(change[i], change[i+1])
		if change[i+1] == "" {
			v.Del(change[i])
		}
	}
	return v
}

func (w *world) page(tenant string, v url.Values) answer {
	w.t.Helper()
	return w.get("https://" + DefaultAuthority + "/" + tenant + "/oauth2/v2.0/authorize?" + v.Encode())
}

// back is what the page sends to the application.
func (a answer) back() url.Values {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		return nil
	}
	return u.Query()
}

func (w *world) tokens(tenant string, v url.Values) answer {
	w.t.Helper()
	return w.post("https://"+DefaultAuthority+"/"+tenant+"/oauth2/v2.0/token", v)
}

func (w *world) code(tenant string, change ...string) string {
	w.t.Helper()
	code := w.page(tenant, ask(change...)).back().Get("code")
	if code == "" {
		w.t.Fatalf("no code: %s", w.lastWhy())
	}
	return code
}

func redemption(code string, change ...string) url.Values {
	return changed(form("grant_type", "authorization_code", "client_id", azureCLI, "code", code, "redirect_uri", testRedirect,
		"code_verifier", testVerifier, "scope", userScopes, "client_info", "1"), change)
}

func TestAuthorizeRefuses(t *testing.T) {
	w := newWorld(t)
	w.Person(w.tenant.AddUser("ada@contoso.example"), SignsIn)
	other := w.AddTenant("")
	foreign := other.AddPublicClient("")
	for _, tt := range []struct {
		name   string
		change []string
		code   string
		shown  bool // to the person, and to nobody else
	}{
		{"no client", []string{"client_id", ""}, "AADSTS900144", true},
		{"unknown client", []string{"client_id", newGUID()}, "AADSTS700016", true},
		{"another tenant's client", []string{"client_id", foreign}, "AADSTS700016", true},
		{"a confidential client", []string{"client_id", w.app.ClientID()}, "AADSTS700016", true},
		{"no redirect", []string{"redirect_uri", ""}, "AADSTS900971", true},
		{"a redirect elsewhere", []string{"redirect_uri", "https://evil.example"}, "AADSTS50011", true},
		{"a redirect to https", []string{"redirect_uri", "https://localhost:4711"}, "AADSTS50011", true},
		{"a redirect by number", []string{"redirect_uri", "http://127.0.0.1:4711"}, "AADSTS50011", true},
		{"a redirect with a path", []string{"redirect_uri", "http://localhost:4711/cb"}, "AADSTS50011", true},
		{"a look-alike redirect", []string{"redirect_uri", "http://localhost.evil.example"}, "AADSTS50011", true},
		{"implicit flow", []string{"response_type", "token"}, "AADSTS70005", false},
		{"no response type", []string{"response_type", ""}, "AADSTS900144", false},
		{"fragment", []string{"response_mode", "fragment"}, "AADSTS70007", false},
		{"no scope", []string{"scope", ""}, "AADSTS900144", false},
		{"no renewal", []string{"scope", acrScope + " openid profile"}, "AADSTS70011", false},
		{"strange resource", []string{"scope", strings.Replace(userScopes, "containerregistry", "x", 1)}, "AADSTS500011", false},
		{"no state", []string{"state", ""}, "AADSTS900144", false},
		{"no challenge", []string{"code_challenge", ""}, "AADSTS900144", false},
		{"a plain challenge", []string{"code_challenge_method", "plain"}, "AADSTS501491", false},
		{"a short challenge", []string{"code_challenge", "abc"}, "AADSTS501491", false},
		{"strange prompt", []string{"prompt", "please"}, "AADSTS90023", false},
		{"encoded claims", []string{"claims", "e30="}, "AADSTS90100", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := w.page(w.tenant.ID(), ask(tt.change...))
			said := string(a.body)
			if !tt.shown {
				said = a.back().Get("error_description")
			}
			if !strings.Contains(said, tt.code+":") || tt.shown != (a.Header.Get("Location") == "") {
				t.Errorf("%s %v %s", a.Status, a.Header, a.body)
			}
			if w.lastWhy() != tt.code {
				t.Errorf("recorded %s", w.lastWhy())
			}
		})
	}
	v := ask()
	v.Add("state", "another")
	if a := w.page("common", v); !strings.Contains(string(a.body), "AADSTS9000411") {
		t.Errorf("a doubled parameter: %s", a.body)
	}
	if a := w.page(newGUID(), ask()); !strings.Contains(string(a.body), "AADSTS90002") {
		t.Errorf("an unknown tenant: %s", a.body)
	}
	if w.Seen(KindAuthorize) == 0 {
		t.Error("nothing recorded")
	}
}

func TestPeopleAnswer(t *testing.T) {
	w := newWorld(t)
	ada := w.tenant.AddUser("ada@contoso.example")
	guest := w.AddTenant("").Invite(ada)
	for does, want := range map[Deed]string{Declines: "AADSTS65004", Cancels: ""} {
		w.Person(ada, does)
		back := w.page("organizations", ask()).back()
		if back.Get("error") != "access_denied" || back.Get("state") != "st/ate" || !strings.HasPrefix(back.Get("error_description"), want) {
			t.Errorf("%s: %v", does, back)
		}
	}
	w.Person(nil, "")
	a := w.page("organizations", ask("response_mode", "form_post"))
	if n := strings.Count(string(a.body), ">Sign in as ada@contoso.example<"); n != 1 {
		t.Errorf("%d buttons: %s", n, a.body)
	}
	// The person's browser ends at the application, which isn't there.
	if _, err := w.Browse(a.Request.URL.String(), ada); err == nil || !strings.Contains(err.Error(), "localhost:4711") {
		t.Errorf("browsing ended with %v", err)
	}
	w.Person(ada, SignsIn)
	if page := string(w.page(w.AddTenant("").ID(), ask()).body); !strings.Contains(page, "AADSTS50020") {
		t.Errorf("a stranger: %s", page)
	}
	at := w.tokens(guest.Tenant().ID(), redemption(w.code(guest.Tenant().ID()))).field("access_token")
	if c := claimsOf(t, at); c["oid"] != guest.ObjectID() || c["tid"] != guest.Tenant().ID() || !strings.Contains(c["idp"].(string), w.tenant.ID()) {
		t.Errorf("the guest's token: %v", c)
	}
}

func TestCodes(t *testing.T) {
	w := newWorld(t)
	ada := w.tenant.AddUser("ada@contoso.example")
	w.registry.Grant(ada, AcrPull)
	w.Person(ada, SignsIn)
	own := w.tenant.AddPublicClient("")
	other := w.AddTenant("")
	for _, tt := range []struct {
		name, tenant string
		change       []string
		want         string
	}{
		{"no code", "common", []string{"code", ""}, "AADSTS900144"},
		{"a made-up code", "common", []string{"code", "1.AX"}, "AADSTS9002313"},
		{"no verifier", "common", []string{"code_verifier", ""}, "AADSTS501481"},
		{"another verifier", "common", []string{"code_verifier", strings.Repeat("x", 43)}, "AADSTS501481"},
		{"another redirect", "common", []string{"redirect_uri", "http://localhost:4712"}, "AADSTS500112"},
		{"another client", "common", []string{"client_id", own}, "AADSTS70000"},
		{"another tenant", other.ID(), nil, "AADSTS700005"},
		{"a secret", "common", []string{"client_secret", "planted-secret"}, "AADSTS700025"},
		{"a confidential client", w.tenant.ID(), []string{"client_id", w.app.ClientID()}, "AADSTS7000218"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := w.tokens(tt.tenant, redemption(w.code("common"), tt.change...)); !strings.Contains(string(a.body), tt.want+":") {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	code := w.code("organizations")
	a := w.tokens("organizations", redemption(code))
	if a.StatusCode != 200 || w.exchange(a.field("access_token")).StatusCode != 200 || a.field("foci") != "1" || a.field("client_info") == "" {
		t.Errorf("%s %s", a.Status, a.body)
	}
	for _, secret := range []string{code, a.field("refresh_token"), a.field("id_token"), a.field("access_token")} {
		if secret == "" || w.FindCanary("<"+secret+">") == "" {
			t.Errorf("%.20s… is no canary", secret)
		}
	}
	if a := w.tokens("organizations", redemption(code)); !strings.Contains(string(a.body), "AADSTS54005") {
		t.Errorf("again: %s", a.body)
	}
	old := w.code("common")
	w.AdvanceClock(11 * time.Minute)
	if a := w.tokens("common", redemption(old)); !strings.Contains(string(a.body), "AADSTS70008") {
		t.Errorf("late: %s", a.body)
	}
}

func TestRefreshTokens(t *testing.T) {
	w := newWorld(t)
	ada := w.tenant.AddUser("ada@contoso.example")
	w.Person(ada, SignsIn)
	refresh := func(token string, change ...string) answer {
		return w.tokens("organizations", changed(form("grant_type", "refresh_token", "client_id", azureCLI, "refresh_token", token, "scope", userScopes), change))
	}
	fresh := func() string {
		return w.tokens("organizations", redemption(w.code("organizations"))).field("refresh_token")
	}
	first := fresh()
	second := refresh(first).field("refresh_token")
	if second == "" || second == first || refresh(first).StatusCode != 200 || refresh(second).StatusCode != 200 {
		t.Error("rotation should leave old tokens valid")
	}
	for _, tt := range []struct {
		name string
		do   func()
		want string
	}{
		{"revoked", ada.RevokeSessions, "AADSTS50173"},
		{"a new password", ada.ChangePassword, "AADSTS50133"},
		{"expired", ada.ExpireSessions, "AADSTS700082"},
		{"unused", func() { w.AdvanceClock(inactivity) }, "AADSTS700082"},
		{"blocked", func() { w.tenant.Block(53003) }, "AADSTS53003"},
		{"stepped up", func() { w.tenant.StepUp() }, `"claims":"{\"access_token\":{\"capolids\":`},
		{"one use", w.tenant.OneUse, "access_token"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.tenant.Block(0)
			token := fresh()
			tt.do()
			if a := refresh(token); !strings.Contains(string(a.body), tt.want) {
				t.Errorf("%s %s", a.Status, a.body)
			}
		})
	}
	token := fresh()
	refresh(token)
	for name, a := range map[string]answer{
		"used twice": refresh(token), "made up": refresh("1.AX"), "another client": refresh(fresh(), "client_id", w.tenant.AddPublicClient("")),
		"no scope": refresh(fresh(), "scope", ""), "unknown client": refresh(fresh(), "client_id", newGUID()),
	} {
		if a.StatusCode != 400 {
			t.Errorf("%s: %s %s", name, a.Status, a.body)
		}
	}
	w.tenant.SignInFrequency(time.Hour)
	token = fresh()
	w.AdvanceClock(time.Hour)
	if a := refresh(token); !strings.Contains(string(a.body), "AADSTS70043") {
		t.Errorf("sign-in frequency: %s", a.body)
	}
}
