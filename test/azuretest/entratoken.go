package azuretest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// token answers the token endpoint. What is wrong with the request itself comes
// before what is wrong with the client.
func (q *entraRequest) token() {
	if q.r.Method != http.MethodPost {
		q.refuse(900561, "")
		return
	}
	if err := q.r.ParseForm(); err != nil || q.r.PostForm.Get("grant_type") == "" {
		q.refuse(900144, "", "{parameter}", "grant_type")
		return
	}
	switch grant := q.r.PostForm.Get("grant_type"); grant {
	case "client_credentials":
		q.clientCredentials(q.r.PostForm)
	case "authorization_code":
		q.redeemCode(q.r.PostForm)
	case "refresh_token":
		q.refresh(q.r.PostForm)
	case "urn:ietf:params:oauth:grant-type:device_code", "device_code": // MSAL Go sends the older name
		q.poll(q.r.PostForm)
	default:
		q.refuse(70003, "", "{grant}", grant)
	}
}

// clientCredentials is RFC 6749 §4.4 with Entra's rules for tenant and scope.
func (q *entraRequest) clientCredentials(form url.Values) {
	app, ok := q.client(form)
	if !ok {
		return
	}
	resource, ok := q.resource(form.Get("scope"))
	if !ok {
		return
	}
	caps := capabilities(form.Get("claims"))
	life := app.tenant.tokenLife()
	if slices.Contains(caps, "CP1") {
		life = evaluatedLife
	}
	// expires_in is a second short of the life because Entra counts it from
	// when the answer is sent; scope is absent, as it is from Entra's answers
	// to applications.
	seconds := int64(life/time.Second) - 1
	answer := map[string]any{
		"token_type":     "Bearer",
		"expires_in":     seconds,
		"ext_expires_in": seconds,
		"access_token":   app.tenant.mint(app, resource, life, caps),
	}
	if life >= 2*time.Hour {
		answer["refresh_in"] = seconds / 2
	}
	q.w.Header().Set("X-Ms-Clitelem", "1,0,0,,")
	writeJSON(q.w, http.StatusOK, answer)
}

// client finds and authenticates the application, or refuses the request.
func (q *entraRequest) client(form url.Values) (*ServicePrincipal, bool) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := q.r.BasicAuth(); ok { // client_secret_basic, RFC 6749 §2.3.1
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	if id == "" {
		return nil, q.refuse(900144, "", "{parameter}", "client_id")
	}
	tenant, ok := q.realTenant(id)
	if !ok {
		return nil, false
	}
	app := tenant.application(id)
	switch {
	case app == nil:
		return nil, q.refuse(700016, "", "{app}", id)
	case form.Get("client_assertion") != "":
		return q.assertion(app, form)
	case secret == "":
		return nil, q.refuse(7000218, "")
	}
	if code := app.authenticate(secret); code != 0 {
		return nil, q.refuse(code, "", "{app}", id)
	}
	return app, true
}

// realTenant is the tenant of the path. An application can't sign in to the
// tenantless endpoints: there is no directory to find it in.
func (q *entraRequest) realTenant(app string) (*Tenant, bool) {
	switch strings.ToLower(q.tenant) {
	case "common", "consumers":
		return nil, q.refuse(9001023, "")
	case "organizations":
		return nil, q.refuse(90130, "", "{app}", app)
	}
	tenant, elsewhere := q.cloud.tenant(q.authority, q.tenant)
	if elsewhere {
		return nil, q.refuse(900382, "")
	}
	if tenant == nil {
		return nil, q.refuse(90002, "")
	}
	return tenant, true
}

// resource is the resource that a scope names, or the request is refused.
func (q *entraRequest) resource(scope string) (string, bool) {
	resource, code := q.scoped(scope)
	if code != 0 {
		return "", q.refuse(code, "", "{parameter}", "scope", "{scope}", scope, "{resource}", resource)
	}
	return resource, true
}

// scoped finds the one resource of a scope. OpenID's own scopes may stand beside
// it: MSAL sends them with every grant. A code is that of the refusal.
func (q *entraRequest) scoped(scope string) (resource string, code int) {
	if scope == "" {
		return "", 900144
	}
	var asked []string
	for _, s := range strings.Fields(scope) {
		if !slices.Contains([]string{"openid", "profile", "offline_access", "email"}, s) {
			asked = append(asked, s)
		}
	}
	if len(asked) != 1 || !strings.HasSuffix(asked[0], "/.default") {
		return "", 70011
	}
	resource = strings.TrimSuffix(asked[0], "/.default")
	if q.authority.resource(resource) == "" {
		return resource, 500011
	}
	return resource, 0
}

// capabilities reads what the client says it can do from the claims parameter:
// {"access_token":{"xms_cc":{"values":["CP1"]}}}.
func capabilities(claims string) []string {
	var request struct {
		AccessToken struct {
			XMSCC struct{ Values []string } `json:"xms_cc"`
		} `json:"access_token"`
	}
	json.Unmarshal([]byte(claims), &request)
	return request.AccessToken.XMSCC.Values
}
