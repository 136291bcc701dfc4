package azuretest

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A ticket is what a refresh token stands for.
type ticket struct {
	signIn
	used  time.Time
	ended int // AADSTS of the refusal; 0 while it is good
}

// inactivity is how long an unused refresh token lives (Microsoft Learn, "Refresh
// tokens in the Microsoft identity platform").
const inactivity = 90 * 24 * time.Hour

// contains compares ids, which have no case.
func contains(ids []string, id string) bool {
	return slices.ContainsFunc(ids, func(some string) bool { return strings.EqualFold(some, id) })
}

// place is the tenant of the path; nil for organizations and common, where it is
// found by who signs in.
func (q *entraRequest) place(app string) (*Tenant, bool) {
	switch strings.ToLower(q.tenant) {
	case "common", "organizations":
		return nil, true
	}
	return q.realTenant(app)
}

// publicApp checks the application that a person signs in to.
func (q *entraRequest) publicApp(form url.Values) (client string, t *Tenant, ok bool) {
	client = form.Get("client_id")
	if client == "" {
		return "", nil, q.refuse(900144, "", "{parameter}", "client_id")
	}
	if t, ok = q.place(client); !ok {
		return "", nil, false
	}
	switch {
	case q.cloud.publicClient(q.authority, t, client):
	case t != nil && t.application(client) != nil:
		return "", nil, q.refuse(7000218, "")
	default:
		return "", nil, q.refuse(700016, "", "{app}", client)
	}
	if form.Has("client_secret") || form.Has("client_assertion") {
		return "", nil, q.refuse(700025, "")
	}
	return client, t, true
}

// redeemCode is RFC 6749 §4.1.3 with RFC 7636 §4.6.
func (q *entraRequest) redeemCode(form url.Values) {
	client, t, ok := q.publicApp(form)
	if !ok || !q.all(form, "code", "redirect_uri", "scope") {
		return
	}
	code, problem := q.cloud.takeCode(form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	switch {
	case problem != 0:
		q.refuse(problem, "")
	case !strings.EqualFold(code.client, client):
		q.refuse(70000, "")
	case t != nil && t != code.user.tenant:
		q.refuse(700005, "")
	case code.redirect != form.Get("redirect_uri"):
		q.refuse(500112, "", "{redirect}", form.Get("redirect_uri"), "{registered}", code.redirect)
	case base64URL(sum[:]) != code.challenge:
		q.refuse(501481, "")
	default:
		q.sendTokens(code.signIn, form)
	}
}

// refresh is RFC 6749 §6. The token isn't bound to a tenant: it opens every one
// that its owner belongs to.
func (q *entraRequest) refresh(form url.Values) {
	client, t, ok := q.publicApp(form)
	if !ok || !q.all(form, "refresh_token", "scope") {
		return
	}
	known, problem := q.cloud.useTicket(form.Get("refresh_token"), client)
	if problem != 0 {
		q.refuse(problem, "")
		return
	}
	s := known
	if s.user, ok = q.memberOf(t, known.user.self()); !ok {
		return
	}
	q.sendTokens(s, form)
}

// useTicket finds a refresh token and notes its use.
func (c *Cloud) useTicket(token, client string) (signIn, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.people.tickets[token]
	switch {
	case known == nil:
		return signIn{}, 9002313
	case !strings.EqualFold(known.client, client):
		return signIn{}, 70000
	case known.ended != 0:
		return signIn{}, known.ended
	case c.now().Sub(known.used) >= inactivity:
		return signIn{}, 700082
	}
	known.used = c.now()
	if known.user.tenant.policy.strict {
		known.ended = 70000
	}
	return known.signIn, 0
}

// memberOf is how a tenant knows a person; nil stands for their own.
func (q *entraRequest) memberOf(t *Tenant, home *User) (*User, bool) {
	if t == nil {
		return home, true
	}
	for _, u := range q.cloud.residents(q.authority, t) {
		if u.self() == home {
			return u, true
		}
	}
	return nil, q.refuse(50020, "", "{app}", q.r.FormValue("client_id"))
}

// all refuses a request that lacks a parameter.
func (q *entraRequest) all(form url.Values, parameters ...string) bool {
	for _, p := range parameters {
		if form.Get(p) == "" {
			return q.refuse(900144, "", "{parameter}", p)
		}
	}
	return true
}

// sendTokens ends every grant of a person's, unless a policy objects.
func (q *entraRequest) sendTokens(s signIn, form url.Values) {
	resource, ok := q.resource(form.Get("scope"))
	if !ok {
		return
	}
	code, claims := s.objection()
	if code != 0 {
		q.claims = claims
		q.refuse(code, "", "{app}", s.client)
		return
	}
	life := s.user.tenant.tokenLife()
	seconds := int64(life/time.Second) - 1
	answer := map[string]any{
		"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds,
		"scope":        resource + "/user_impersonation " + resource + "/.default",
		"access_token": s.user.tenant.mint(persona{s.user, s.client}, resource, life, nil),
	}
	scopes := strings.Fields(form.Get("scope"))
	if slices.Contains(scopes, "offline_access") {
		answer["refresh_token"] = q.cloud.newTicket(s)
	}
	if slices.Contains(scopes, "openid") {
		answer["id_token"] = s.idToken()
	}
	if form.Get("client_info") == "1" {
		home := s.user.self()
		answer["client_info"] = segment(map[string]string{"uid": home.objectID, "utid": home.tenant.id})
	}
	if strings.EqualFold(s.client, azureCLI) {
		answer["foci"] = "1" // one of Microsoft's own, which share refresh tokens
	}
	q.w.Header().Set("X-Ms-Clitelem", "1,0,0,,")
	writeJSON(q.w, http.StatusOK, answer)
}

// newTicket mints a refresh token; each use of one brings a new one.
func (c *Cloud) newTicket(s signIn) string {
	token := "1.AX" + randomText(600)
	c.canaries.add(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.people.tickets[token] = &ticket{signIn: s, used: c.now()}
	return token
}

// idToken is a version 2.0 id token (Microsoft Learn, "ID token claims reference").
func (s signIn) idToken() string {
	t := s.user.tenant
	now := t.cloud.Now()
	token := t.cloud.signer.sign(map[string]any{
		"ver": "2.0", "iss": "https://" + t.authority.hosts[0] + "/" + t.id + "/v2.0", "aud": s.client,
		"sub": randomText(32), "tid": t.id, "oid": s.user.objectID, "preferred_username": s.user.upn, "name": s.user.upn,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "uti": randomText(16), "rh": "1." + randomText(33) + ".",
	})
	t.cloud.canaries.add(token)
	return token
}

// persona is a user through an application of their choice.
type persona struct {
	*User
	client string
}

func (p persona) describe(c *entraClaims) {
	p.User.describe(c)
	c.AppID = p.client
}
