package azuretest

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// nullGUID is the user name beside which the password is a token.
const nullGUID = "00000000-0000-0000-0000-000000000000"

// A tokenAsk is a request for an access token, in whichever form it came.
type tokenAsk struct {
	service        string
	scopes         []string
	user, password string
	refresh        string
	offline        bool // a refresh token is wanted too
}

// readAsk understands GET with Basic (ACR docs Token-BasicAuth.md) and POST with
// the grants password and refresh_token (distribution's OAuth2 specification).
func readAsk(req *http.Request) (ask tokenAsk, why string) {
	form := req.PostForm
	if req.Method == http.MethodGet {
		form = req.URL.Query()
		ask.user, ask.password, _ = req.BasicAuth()
		ask.offline = form.Get("offline_token") == "true"
	} else if ask, why = readGrant(form); why != "" {
		return ask, why
	}
	ask.service, ask.scopes = form.Get("service"), form["scope"]
	return ask, ""
}

// readGrant reads a POST. Empty user name and password are how Azure's SDKs ask
// for an anonymous token, so they aren't missing.
func readGrant(form url.Values) (ask tokenAsk, why string) {
	switch form.Get("grant_type") {
	case "password":
		ask.user, ask.password = form.Get("username"), form.Get("password")
		ask.offline = form.Get("access_type") == "offline"
	case "refresh_token":
		if ask.refresh = form.Get("refresh_token"); ask.refresh == "" {
			return ask, "missing refresh_token"
		}
	default:
		return ask, "missing or unknown grant_type"
	}
	return ask, ""
}

// token answers /oauth2/token. Fewer actions than asked for are no error.
func (r *Registry) token(w http.ResponseWriter, req *http.Request) {
	ask, why := readAsk(req)
	if why != "" {
		badRequest(w, req, why)
		return
	}
	if !r.isService(ask.service, req) {
		badRequest(w, req, "wrong service")
		return
	}
	asked, err := parseScopes(ask.scopes)
	if err != nil {
		badRequest(w, req, err.Error())
		return
	}
	who, why := r.identify(ask)
	if why != "" {
		unauthorized(w, req, why)
		return
	}
	answer := map[string]string{"access_token": r.accessToken(who.subject, who.may.permit(asked))}
	if ask.offline && who.refresh != nil {
		answer["refresh_token"] = who.refresh()
	}
	sendToken(w, answer)
}

// A caller is who asks for an access token.
type caller struct {
	subject string
	may     rights
	refresh func() string // makes a refresh token; nil where there is none
}

// identify finds out who asks. why is empty when that is settled.
func (r *Registry) identify(ask tokenAsk) (who caller, why string) {
	switch {
	case ask.refresh != "":
		return r.byRefreshToken(ask.refresh)
	case ask.user == "" && ask.password == "":
		return r.anonymously()
	case ask.user == nullGUID:
		if who, why = r.byRefreshToken(ask.password); why != "" {
			return r.byEntraToken(ask.password, why)
		}
		return who, ""
	}
	return r.byPassword(ask.user, ask.password)
}

// byRefreshToken looks the roles up anew: one that was taken away since the token
// was minted shows here. The same token goes back as refresh token, or renewing
// would stretch its life.
func (r *Registry) byRefreshToken(token string) (caller, string) {
	claims, err := r.verify(token, "refresh_token")
	if err != nil {
		return caller{}, err.Error()
	}
	may, _ := r.rightsOf(claims.Sub)
	return caller{claims.Sub, may, func() string { return token }}, ""
}

// byEntraToken takes an Entra access token as password, which ACR does as long
// as the header holds it (Azure/acr issue 797). why is what was wrong with it as
// a refresh token.
func (r *Registry) byEntraToken(token, why string) (caller, string) {
	p, err := r.entraPrincipal(token)
	if err != nil {
		return caller{}, "as refresh token: " + why + "; as Entra token: " + err.Error()
	}
	return r.byRoles(p.subject())
}

// anonymously lets nobody in particular pull, where the registry allows that, and
// list what there is (azure-sdk-for-js has recorded it).
func (r *Registry) anonymously() (who caller, why string) {
	r.set(func() {
		if !r.anonymous {
			why = "anonymous pull is off"
		}
	})
	who.may = rights{rules: []rule{{"*", []string{"pull", "metadata_read"}}}, catalog: true}
	return who, why
}

// byPassword knows the admin user, scoped tokens, and service principals with
// their Entra secret.
func (r *Registry) byPassword(user, password string) (caller, string) {
	var local localUser
	var known bool
	r.set(func() { local, known = r.users[user] })
	if known {
		if subtle.ConstantTimeCompare([]byte(local.password), []byte(password)) == 0 {
			return caller{}, "wrong password"
		}
		return caller{subject: user, may: local.may}, ""
	}
	app := r.tenant.application(user)
	if app == nil {
		return caller{}, "unknown user"
	}
	if app.authenticate(password) != 0 {
		return caller{}, "wrong secret of a service principal"
	}
	return r.byRoles(app.subject())
}

// byRoles turns away whoever has no role at all, as the exchange does.
func (r *Registry) byRoles(subject string) (caller, string) {
	may, ok := r.rightsOf(subject)
	if !ok {
		return caller{}, "no role"
	}
	return caller{subject, may, func() string { return r.refreshToken(subject) }}, ""
}
