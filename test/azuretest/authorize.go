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

// codeLifetime is about the lifetime of Entra's authorization codes.
const codeLifetime = 10 * time.Minute

// takeCode redeems a code.
func (c *Cloud) takeCode(code string) (*authCode, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.signIns.codes[code]
	switch {
	case known == nil:
		return nil, 9002313
	case known.redeemed:
		return nil, 54005
	case c.now().Sub(known.at) >= codeLifetime:
		return nil, 70008
	}
	known.redeemed = true
	return known, 0
}

// authorize is the sign-in page (RFC 6749 §4.1.1 with RFC 7636 §4.3). Errors in the application or its redirect URI
// are shown to the user, all others are sent to the application.
func (q *entraRequest) authorize() {
	query := q.r.URL.Query()
	if q.r.Method != http.MethodGet && q.r.Method != http.MethodPost {
		http.Error(q.w, "", http.StatusMethodNotAllowed)
		return
	}
	t, ok := q.checkApplication(query)
	if !ok {
		return
	}
	app := reply{query.Get("redirect_uri"), query.Get("response_mode"), query.Get("state")}
	if code, pairs := q.checkParameters(query); code != 0 {
		q.sendError(app, code, "", pairs...)
		return
	}
	user, action := q.pageUser()
	switch {
	case action == Cancel:
		q.send(app, url.Values{"error": {"access_denied"}, "error_subcode": {"cancel"}})
	case user == nil:
		q.page("Sign in to your account", accountPicker(q.cloud.usersOf(q.authority, t)))
	case action == Decline:
		q.sendError(app, 65004, "")
	default:
		q.signInUser(t, user, query, app)
	}
}

// checkApplication checks what must be right before anything is sent to the redirect URI. The tenant is nil for
// organizations and common.
func (q *entraRequest) checkApplication(query url.Values) (*Tenant, bool) {
	for name, values := range query {
		if len(values) > 1 {
			return nil, q.showError(9000411, "{parameter}", name)
		}
	}
	client, redirect := query.Get("client_id"), query.Get("redirect_uri")
	if client == "" {
		return nil, q.showError(900144, "{parameter}", "client_id")
	}
	var t *Tenant
	if name := strings.ToLower(q.tenant); name != "common" && name != "organizations" {
		if t, _ = q.cloud.tenant(q.authority, name); t == nil {
			return nil, q.showError(90002)
		}
	}
	switch {
	case !q.cloud.isPublicClient(q.authority, t, client):
		return nil, q.showError(700016, "{app}", client)
	case redirect == "":
		return nil, q.showError(900971)
	case !regexp.MustCompile(`^http://localhost(:[1-9]\d{0,4})?$`).MatchString(redirect):
		return nil, q.showError(50011, "{redirect}", redirect, "{app}", client)
	}
	return t, true
}

// checkParameters returns the AADSTS code for a wrong parameter, or 0, and what to fill into its text. Entra accepts
// requests without state and code_challenge; this cloud doesn't, since clients should send them.
func (q *entraRequest) checkParameters(query url.Values) (int, []string) {
	for _, p := range []string{
		"response_type", "scope", "state", "response_mode", "code_challenge", "code_challenge_method",
	} {
		if query.Get(p) == "" {
			return 900144, []string{"{parameter}", p}
		}
	}
	resource, code := q.checkScope(query.Get("scope"))
	prompts := []string{"", "login", "consent", "select_account"}
	switch mode := query.Get("response_mode"); {
	case query.Get("response_type") != "code":
		return 70005, []string{"{value}", query.Get("response_type")}
	case mode != "query" && mode != "form_post":
		return 70007, []string{"{value}", mode}
	case code != 0:
		return code, []string{"{scope}", query.Get("scope"), "{resource}", resource}
	case query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43:
		return 501491, nil
	case !slices.Contains(prompts, query.Get("prompt")):
		return 90023, []string{"{parameter}", "prompt"}
	case query.Has("claims") && !json.Valid([]byte(query.Get("claims"))):
		return 90100, []string{"{parameter}", "claims"}
	}
	return 0, nil
}

// checkScope is resourceOf for the sign-in page, where clients that need a refresh token request OpenID's scopes too.
func (q *entraRequest) checkScope(scope string) (string, int) {
	for _, needed := range []string{"openid", "profile", "offline_access"} {
		if !slices.Contains(strings.Fields(scope), needed) {
			return "", 70011
		}
	}
	return q.resourceOf(scope)
}

// pageUser returns the user in front of the page and what the user does: as set by SetBrowserUser, or as submitted
// with the page's form.
func (q *entraRequest) pageUser() (*User, PageAction) {
	if u, action := q.cloud.browserUser(); u != nil {
		return u, action
	}
	if q.r.Method == http.MethodGet || q.r.ParseForm() != nil {
		return nil, ""
	}
	for _, u := range q.cloud.usersOf(q.authority, nil) {
		if strings.EqualFold(u.upn, q.r.PostForm.Get("user")) {
			return u, PageAction(q.r.PostForm.Get("action"))
		}
	}
	return nil, PageAction(q.r.PostForm.Get("action"))
}

// signInUser sends a code to the application, unless the user isn't in the tenant or one of its policies refuses the
// sign-in.
func (q *entraRequest) signInUser(t *Tenant, user *User, query url.Values, app reply) {
	s := signIn{user: user.homeAccount(), client: query.Get("client_id"), at: q.cloud.Now()}
	if t != nil {
		if s.user = t.account(user); s.user == nil {
			q.showError(50020, "{app}", s.client)
			return
		}
	}
	s.policy, _ = policyIn(query.Get("claims"))
	switch code, _ := s.policyError(); code {
	case 0:
	case 65001:
		q.sendError(app, code, "consent_required", "{app}", s.client)
		return
	case 50076:
		q.sendError(app, code, "interaction_required", "{app}", s.client)
		return
	default:
		q.showError(code, "{app}", s.client)
		return
	}
	code := "1.AX" + randomText(500)
	q.cloud.canaries.add(code)
	q.cloud.mu.Lock()
	q.cloud.signIns.codes[code] = &authCode{signIn: s, redirect: app.uri, challenge: query.Get("code_challenge")}
	q.cloud.mu.Unlock()
	q.send(app, url.Values{"code": {code}, "session_state": {newGUID()}})
}
