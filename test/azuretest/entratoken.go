package azuretest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// token serves the token endpoint. It checks the request before the client.
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
	q.sendAccessToken(app.AccessToken(resource, 0), map[string]any{}) // Entra sends no scope to applications
}

// sendAccessToken sends an access token and other fields. Entra counts expires_in from the time of the response, a
// second later.
func (q *entraRequest) sendAccessToken(token string, response map[string]any) {
	seconds := int64(accessTokenLifetime/time.Second) - 1
	response["token_type"], response["access_token"] = "Bearer", token
	response["expires_in"], response["ext_expires_in"] = seconds, seconds
	q.w.Header().Set("X-Ms-Clitelem", "1,0,0,,")
	writeJSON(q.w, http.StatusOK, response)
}

// client finds and authenticates the application, or refuses the request.
func (q *entraRequest) client(form url.Values) (*ServicePrincipal, bool) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if id == "" {
		return nil, q.refuse(900144, "", "{parameter}", "client_id")
	}
	tenant, ok := q.requireTenant(id)
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

// requireTenant returns the tenant of the path, or refuses the request. Applications can't sign in to common,
// consumers or organizations.
func (q *entraRequest) requireTenant(app string) (*Tenant, bool) {
	switch strings.ToLower(q.tenant) {
	case "common", "consumers":
		return nil, q.refuse(9001023, "")
	case "organizations":
		return nil, q.refuse(90130, "", "{app}", app)
	}
	tenant, otherCloud := q.cloud.tenant(q.authority, q.tenant)
	if otherCloud {
		return nil, q.refuse(900382, "")
	}
	if tenant == nil {
		return nil, q.refuse(90002, "")
	}
	return tenant, true
}

// resource returns the resource of a scope, or refuses the request.
func (q *entraRequest) resource(scope string) (string, bool) {
	resource, code := q.resourceOf(scope)
	if code != 0 {
		return "", q.refuse(code, "", "{parameter}", "scope", "{scope}", scope, "{resource}", resource)
	}
	return resource, true
}

// resourceOf returns the resource of a scope, or the AADSTS code of a refusal. MSAL adds OpenID's scopes to every
// grant.
func (q *entraRequest) resourceOf(scope string) (resource string, code int) {
	if scope == "" {
		return "", 900144
	}
	var requested []string
	for _, s := range strings.Fields(scope) {
		if !slices.Contains([]string{"openid", "profile", "offline_access", "email"}, s) {
			requested = append(requested, s)
		}
	}
	if len(requested) != 1 || !strings.HasSuffix(requested[0], "/.default") {
		return "", 70011
	}
	resource = strings.TrimSuffix(requested[0], "/.default")
	if q.authority.resource(resource) == "" {
		return resource, 500011
	}
	return resource, 0
}
