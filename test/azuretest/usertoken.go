package azuretest

import (
	"crypto/sha256"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An entraRefreshToken is what a refresh token of Entra stands for.
type entraRefreshToken struct {
	signIn
	used  time.Time
	ended int // AADSTS of the refusal; 0 while it is valid
}

// inactivity is the lifetime of an unused refresh token (Microsoft Learn, "Refresh tokens in the Microsoft identity
// platform").
const inactivity = 90 * 24 * time.Hour

// optionalTenant returns the tenant of the path, or nil for organizations and common, where the user's home tenant
// counts.
func (q *entraRequest) optionalTenant(app string) (*Tenant, bool) {
	switch strings.ToLower(q.tenant) {
	case "common", "organizations":
		return nil, true
	}
	return q.requireTenant(app)
}

// publicApp returns the application that a user signs in to, or refuses the request.
func (q *entraRequest) publicApp(form url.Values) (client string, t *Tenant, ok bool) {
	client = form.Get("client_id")
	if client == "" {
		return "", nil, q.refuse(900144, "", "{parameter}", "client_id")
	}
	if t, ok = q.optionalTenant(client); !ok {
		return "", nil, false
	}
	switch {
	case q.cloud.isPublicClient(q.authority, t, client):
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
	if !ok || !q.requireParams(form, "code", "redirect_uri", "scope") {
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

// refresh is RFC 6749 §6. The token isn't bound to a tenant: it works for each one where the user has an account.
func (q *entraRequest) refresh(form url.Values) {
	client, t, ok := q.publicApp(form)
	if !ok || !q.requireParams(form, "refresh_token", "scope") {
		return
	}
	s, problem := q.cloud.useRefreshToken(form.Get("refresh_token"), client)
	if problem != 0 {
		q.refuse(problem, "")
		return
	}
	s.user = s.user.homeAccount()
	if t != nil {
		if s.user = t.account(s.user); s.user == nil {
			q.refuse(50020, "", "{app}", client)
			return
		}
	}
	q.sendTokens(s, form)
}

// useRefreshToken returns the sign-in that a refresh token stands for, and records its use, or returns the AADSTS
// code of a refusal.
func (c *Cloud) useRefreshToken(token, client string) (signIn, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.signIns.refreshTokens[token]
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
	if known.user.tenant.policy.singleUse {
		known.ended = 70000
	}
	return known.signIn, 0
}

// requireParams refuses a request that lacks a parameter.
func (q *entraRequest) requireParams(form url.Values, parameters ...string) bool {
	for _, p := range parameters {
		if form.Get(p) == "" {
			return q.refuse(900144, "", "{parameter}", p)
		}
	}
	return true
}

// sendTokens is the last step of all grants for users, unless a policy refuses the sign-in.
func (q *entraRequest) sendTokens(s signIn, form url.Values) {
	resource, ok := q.resource(form.Get("scope"))
	if !ok {
		return
	}
	code, claims := s.policyError()
	if code != 0 {
		q.claims = claims
		q.refuse(code, "", "{app}", s.client)
		return
	}
	response := map[string]any{"scope": resource + "/user_impersonation " + resource + "/.default"}
	scopes := strings.Fields(form.Get("scope"))
	if slices.Contains(scopes, "offline_access") {
		response["refresh_token"] = q.cloud.newRefreshToken(s)
	}
	if slices.Contains(scopes, "openid") {
		response["id_token"] = s.idToken()
	}
	if form.Get("client_info") == "1" {
		home := s.user.homeAccount()
		response["client_info"] = segment(map[string]string{"uid": home.objectID, "utid": home.tenant.id})
	}
	if strings.EqualFold(s.client, azureCLI) {
		response["foci"] = "1" // Microsoft's own applications share refresh tokens
	}
	q.sendAccessToken(s.user.tenant.accessToken(userOfClient{s.user, s.client}, resource, 0), response)
}

// newRefreshToken issues a refresh token; each use of one returns a new one.
func (c *Cloud) newRefreshToken(s signIn) string {
	token := "1.AX" + randomText(600)
	c.canaries.add(token)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signIns.refreshTokens[token] = &entraRefreshToken{signIn: s, used: c.now()}
	return token
}

// idToken returns a version 2.0 ID token (Microsoft Learn, "ID token claims reference").
func (s signIn) idToken() string {
	t := s.user.tenant
	now := t.cloud.Now()
	return t.cloud.issue(t.cloud.signer, map[string]any{
		"ver": "2.0", "iss": t.Issuer(), "aud": s.client, "sub": randomText(32), "tid": t.id,
		"oid": s.user.objectID, "preferred_username": s.user.upn, "name": s.user.upn,
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"uti": randomText(16), "rh": "1." + randomText(33) + ".",
	})
}

// userOfClient is a user signed in to an application other than Azure CLI.
type userOfClient struct {
	*User
	client string
}

func (u userOfClient) describe(c *entraClaims) {
	u.User.describe(c)
	c.AppID = u.client
}
