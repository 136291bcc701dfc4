package azuretest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An authCode is what an authorization code stands for.
type authCode struct {
	signIn
	redirect  string
	challenge string
	redeemed  bool
}

// codeLife is about what Entra gives an authorization code.
const codeLife = 10 * time.Minute

// takeCode finds a code and uses it up.
func (c *Cloud) takeCode(code string) (*authCode, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.people.codes[code]
	switch {
	case known == nil:
		return nil, 9002313
	case known.redeemed:
		return nil, 54005
	case c.now().Sub(known.at) >= codeLife:
		return nil, 70008
	}
	known.redeemed = true
	return known, 0
}

// servePeople answers the endpoints that people's sign-ins need.
func (q *entraRequest) servePeople(endpoint string) {
	switch {
	case endpoint == "oauth2/v2.0/authorize":
		q.authorize()
	case endpoint == "oauth2/v2.0/devicecode":
		q.deviceCode()
	case q.r.URL.Path == "/device", q.r.URL.Path == "/common/oauth2/deviceauth":
		q.devicePage()
	default:
		http.NotFound(q.w, q.r)
	}
}

// authorize is the page at which people sign in (RFC 6749 §4.1.1 with RFC 7636
// §4.3). Faults of the application, and of where it wants the answer, are shown
// to the person; everything else goes back to the application.
func (q *entraRequest) authorize() {
	ask := q.r.URL.Query()
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodPost {
		http.Error(q.w, "", http.StatusMethodNotAllowed)
		return
	}
	t, ok := q.comesFromApp(ask)
	if !ok {
		return
	}
	back := reply{ask.Get("redirect_uri"), ask.Get("response_mode"), ask.Get("state")}
	if code, pairs := q.faulty(ask); code != 0 {
		q.sendError(back, code, "", pairs...)
		return
	}
	who, does := q.answered(ask)
	switch {
	case does == Cancels:
		q.send(back, url.Values{"error": {"access_denied"}, "error_subcode": {"cancel"}})
	case who == nil:
		q.page("Sign in to your account", chooser(q.cloud.residents(q.authority, t)))
	case does == Declines:
		q.sendError(back, 65004, "")
	default:
		q.signInAt(t, who, ask, back)
	}
}

// comesFromApp checks what decides whether the application may be answered.
func (q *entraRequest) comesFromApp(ask url.Values) (*Tenant, bool) {
	for name, values := range ask {
		if len(values) > 1 {
			return nil, q.explain(9000411, "{parameter}", name)
		}
	}
	client, redirect := ask.Get("client_id"), ask.Get("redirect_uri")
	if client == "" {
		return nil, q.explain(900144, "{parameter}", "client_id")
	}
	var t *Tenant
	if name := strings.ToLower(q.tenant); name != "common" && name != "organizations" {
		if t, _ = q.cloud.tenant(q.authority, name); t == nil {
			return nil, q.explain(90002)
		}
	}
	switch {
	case !q.cloud.publicClient(q.authority, t, client):
		return nil, q.explain(700016, "{app}", client)
	case redirect == "":
		return nil, q.explain(900971)
	case !regexp.MustCompile(`^http://localhost(:[1-9]\d{0,4})?$`).MatchString(redirect):
		return nil, q.explain(50011, "{redirect}", redirect, "{app}", client)
	}
	return t, true
}

// faulty finds what is wrong with a request whose sender is known. Entra does
// without state and code_challenge; an application of today doesn't.
func (q *entraRequest) faulty(ask url.Values) (int, []string) {
	for _, p := range []string{"response_type", "scope", "state", "response_mode", "code_challenge", "code_challenge_method"} {
		if ask.Get(p) == "" {
			return 900144, []string{"{parameter}", p}
		}
	}
	resource, code := q.scopeOf(ask.Get("scope"))
	prompts := []string{"", "login", "consent", "select_account"}
	switch mode := ask.Get("response_mode"); {
	case ask.Get("response_type") != "code":
		return 70005, []string{"{value}", ask.Get("response_type")}
	case mode != "query" && mode != "form_post":
		return 70007, []string{"{value}", mode}
	case code != 0:
		return code, []string{"{scope}", ask.Get("scope"), "{resource}", resource}
	case ask.Get("code_challenge_method") != "S256" || len(ask.Get("code_challenge")) != 43:
		return 501491, nil
	case !slices.Contains(prompts, ask.Get("prompt")):
		return 90023, []string{"{parameter}", "prompt"}
	case ask.Has("claims") && !json.Valid([]byte(ask.Get("claims"))):
		return 90100, []string{"{parameter}", "claims"}
	}
	return 0, nil
}

// scopeOf is scoped for the page, where whoever wants to renew asks for OpenID's
// scopes too.
func (q *entraRequest) scopeOf(scope string) (string, int) {
	for _, needed := range []string{"openid", "profile", "offline_access"} {
		if !slices.Contains(strings.Fields(scope), needed) {
			return "", 70011
		}
	}
	return q.scoped(scope)
}

// answered is who sits in front of the page and what they do.
func (q *entraRequest) answered(ask url.Values) (*User, Deed) {
	if u, does := q.cloud.sitting(); u != nil {
		return u, does
	}
	if q.r.Method == http.MethodGet || q.r.ParseForm() != nil {
		return nil, ""
	}
	for _, u := range q.cloud.residents(q.authority, nil) {
		if strings.EqualFold(u.upn, q.r.PostForm.Get("user")) {
			return u, Deed(q.r.PostForm.Get("does"))
		}
	}
	return nil, Deed(q.r.PostForm.Get("does"))
}

// signInAt ends the page with a code, unless the person or a policy of the
// tenant is against it.
func (q *entraRequest) signInAt(t *Tenant, who *User, ask url.Values, back reply) {
	s := signIn{user: who.self(), client: ask.Get("client_id"), at: q.cloud.Now()}
	if t != nil {
		members := q.cloud.residents(q.authority, t)
		i := slices.IndexFunc(members, func(u *User) bool { return u.self() == who.self() })
		if i < 0 {
			q.explain(50020, "{app}", s.client)
			return
		}
		s.user = members[i]
	}
	s.met, _ = policyIn(ask.Get("claims"))
	switch code, _ := s.objection(); code {
	case 0:
	case 65001:
		q.sendError(back, code, "consent_required", "{app}", s.client)
		return
	case 50076:
		q.sendError(back, code, "interaction_required", "{app}", s.client)
		return
	default:
		q.explain(code, "{app}", s.client)
		return
	}
	code := "1.AX" + randomText(500)
	q.cloud.canaries.add(code)
	q.cloud.mu.Lock()
	q.cloud.people.codes[code] = &authCode{signIn: s, redirect: back.uri, challenge: ask.Get("code_challenge")}
	q.cloud.mu.Unlock()
	q.send(back, url.Values{"code": {code}, "session_state": {newGUID()}})
}
