package azuretest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// nullGUID is the user name that marks the password as a token.
const nullGUID = "00000000-0000-0000-0000-000000000000"

// A tokenRequest is a request for an access token, in any of its forms.
type tokenRequest struct {
	service        string
	scopes         []string
	user, password string
	refreshToken   string
	offline        bool // a refresh token is wanted too
}

// readTokenRequest reads a GET with Basic (ACR docs Token-BasicAuth.md) or a POST with the grant password or
// refresh_token (distribution's OAuth2 specification). An empty user name and password are not an error: Azure's SDKs
// ask for an anonymous token that way. why is the reason to refuse the request, or empty.
func readTokenRequest(req *http.Request) (tr tokenRequest, why string) {
	var form url.Values
	if req.Method == http.MethodGet {
		form = req.URL.Query()
		tr.user, tr.password, _ = req.BasicAuth()
		tr.offline = form.Get("offline_token") == "true"
	} else {
		form = req.PostForm
		switch form.Get("grant_type") {
		case "password":
			tr.user, tr.password = form.Get("username"), form.Get("password")
			tr.offline = form.Get("access_type") == "offline"
		case "refresh_token":
			if tr.refreshToken = form.Get("refresh_token"); tr.refreshToken == "" {
				return tr, "missing refresh_token"
			}
		default:
			return tr, "missing or unknown grant_type"
		}
	}
	tr.service, tr.scopes = form.Get("service"), form["scope"]
	return tr, ""
}

// token serves /oauth2/token. Granting fewer actions than requested is no error.
func (r *Registry) token(w http.ResponseWriter, req *http.Request) {
	tr, why := readTokenRequest(req)
	if why != "" {
		badRequest(w, req, why)
		return
	}
	if !r.isService(tr.service, req) {
		badRequest(w, req, "wrong service")
		return
	}
	requested, err := parseScopes(tr.scopes)
	if err != nil {
		badRequest(w, req, err.Error())
		return
	}
	caller, why := r.identify(tr)
	if why != "" {
		unauthorized(w, req, why)
		return
	}
	tokens := map[string]string{"access_token": r.accessToken(caller.subject, caller.rights.permit(requested))}
	if tr.offline && caller.refreshToken != nil {
		tokens["refresh_token"] = caller.refreshToken()
	}
	sendToken(w, tokens)
}

// A caller is the identity that requests an access token.
type caller struct {
	subject      string
	rights       rights
	refreshToken func() string // returns a refresh token; nil if the identity can't have one
}

// identify authenticates a request. why is the reason to refuse it, or empty.
func (r *Registry) identify(tr tokenRequest) (_ caller, why string) {
	switch {
	case tr.refreshToken != "":
		return r.byRefreshToken(tr.refreshToken)
	case tr.user == "" && tr.password == "":
		return r.anonymous()
	case tr.user == nullGUID:
		return r.byRefreshToken(tr.password)
	}
	return r.byPassword(tr.user, tr.password)
}

// byRefreshToken looks the roles up again, so that a role revoked since the token was issued no longer counts. It
// returns the same refresh token: a new one would extend its lifetime. Azure accepts an Entra access token, too, unless
// the header gets too long (Azure/acr issue 797). No client should send one.
func (r *Registry) byRefreshToken(token string) (caller, string) {
	claims, err := r.verify(token, "refresh_token")
	if err != nil {
		return caller{}, err.Error()
	}
	rights, _ := r.rightsOf(claims.Sub)
	return caller{claims.Sub, rights, func() string { return token }}, ""
}

// anonymous grants pull and the catalog, if the registry allows anonymous pull (as recorded in azure-sdk-for-js).
func (r *Registry) anonymous() (_ caller, why string) {
	r.cloud.locked(func() {
		if !r.anonymousPull {
			why = "anonymous pull is off"
		}
	})
	return caller{rights: roles[AcrPull]}, why
}

// byPassword authenticates the admin user, scoped tokens, and service principals with their Entra secret.
func (r *Registry) byPassword(user, password string) (caller, string) {
	var local localUser
	var known bool
	r.cloud.locked(func() { local, known = r.users[user] })
	if known {
		if subtle.ConstantTimeCompare([]byte(local.password), []byte(password)) == 0 {
			return caller{}, "wrong password"
		}
		return caller{subject: user, rights: local.rights}, ""
	}
	app := r.tenant.application(user)
	if app == nil {
		return caller{}, "unknown user"
	}
	if app.authenticate(password) != 0 {
		return caller{}, "wrong secret of a service principal"
	}
	rights, ok := r.rightsOf(app.clientID)
	if !ok {
		return caller{}, "no role"
	}
	return caller{app.clientID, rights, func() string { return r.RefreshTokenFor(app) }}, ""
}
