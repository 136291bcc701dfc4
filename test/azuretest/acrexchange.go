package azuretest

import (
	"errors"
	"net/http"
	"strings"
)

// exchange issues an ACR refresh token for an Entra access token (ACR docs AAD-OAuth.md, "Calling POST
// /oauth2/exchange").
func (r *Registry) exchange(w http.ResponseWriter, req *http.Request) {
	form := req.PostForm
	switch grant := form.Get("grant_type"); grant {
	case "access_token":
	case "access_token_refresh_token", "refresh_token":
		// Azure still accepts these two, which send an Entra refresh token. No client should send one any more.
		badRequest(w, req, "deprecated grant "+grant)
		return
	default:
		badRequest(w, req, "missing or unknown grant_type")
		return
	}
	if form.Has("refresh_token") {
		badRequest(w, req, "refresh_token doesn't belong to this grant")
		return
	}
	if !r.isService(form.Get("service"), req) {
		badRequest(w, req, "wrong service")
		return
	}
	p, err := r.entraPrincipal(form.Get("access_token"))
	if errors.Is(err, errNotJWT) {
		badRequest(w, req, "malformed access_token")
		return
	}
	if err != nil {
		unauthorized(w, req, err.Error())
		return
	}
	if t := form.Get("tenant"); t != "" && !r.tenant.hasName(t) {
		unauthorized(w, req, "tenant is not the registry's")
		return
	}
	if _, ok := r.rightsOf(p.subject()); !ok {
		unauthorized(w, req, "no role")
		return
	}
	sendToken(w, map[string]string{"refresh_token": r.RefreshTokenFor(p)})
}

// entraPrincipal checks an Entra access token: this tenant's, not expired, and for ACR or Resource Manager.
func (r *Registry) entraPrincipal(token string) (Principal, error) {
	p, claims, err := r.tenant.principal(token)
	if err != nil {
		return nil, err
	}
	switch r.tenant.authority.resource(claims.Aud) {
	case "acr", "arm":
		return p, nil
	}
	return nil, errors.New("wrong audience " + claims.Aud)
}

// acrIssuer is the issuer of ACR's tokens.
const acrIssuer = "Azure Container Registry"

// acrClaims are the claims of ACR's refresh and access tokens. Each kind omits the claims of the other.
type acrClaims struct {
	ID          string       `json:"jti"`
	Sub         string       `json:"sub"`
	Nbf         int64        `json:"nbf"`
	Exp         int64        `json:"exp"`
	Iat         int64        `json:"iat"`
	Iss         string       `json:"iss"`
	Aud         string       `json:"aud"`
	Version     string       `json:"version"`
	RID         string       `json:"rid,omitempty"`
	Grant       string       `json:"grant_type"`
	Tenant      string       `json:"tenant,omitempty"`
	Permissions *permissions `json:"permissions,omitempty"`
	Access      *[]access    `json:"access,omitempty"` // an empty list is sent as one
	Roles       []string     `json:"roles"`
	Padding     string       `json:"padding,omitempty"`
}

// permissions are the sum of the roles at the time of the exchange.
type permissions struct {
	Actions    []string `json:"actions"`
	NotActions []string `json:"notActions"`
}

// RefreshTokenFor returns a new refresh token for principal, with or without a role, as `az acr login` passes one to
// docker. It has the defects that ShapeRefreshTokens set. Its permissions are informative only: the roles are looked up
// whenever it is used.
func (r *Registry) RefreshTokenFor(principal Principal) string {
	rights, _ := r.rightsOf(principal.subject())
	claims := r.claims(principal.subject(), "refresh_token")
	claims.Tenant = r.tenant.id
	claims.Permissions = &permissions{Actions: rights.all(), NotActions: []string{}}
	var shape TokenShape
	r.cloud.locked(func() {
		shape = r.shape
		claims.Exp = r.cloud.now().Add(r.refreshLifetime).Unix()
	})
	if shape.Audience != "" {
		claims.Aud = shape.Audience
	}
	if shape.Expired {
		claims.Iat, claims.Nbf, claims.Exp = claims.Iat-4*3600, claims.Nbf-4*3600, claims.Iat-3600
	}
	claims.Padding = strings.Repeat("x", shape.Padding)
	token := r.cloud.issue(r.cloud.signer, claims)
	if !shape.Opaque {
		return token
	}
	opaque := randomText(40)
	r.cloud.locked(func() { r.opaque[opaque] = token })
	r.cloud.canaries.add(opaque)
	return opaque
}

// accessToken returns a new access token for /v2/.
func (r *Registry) accessToken(subject string, granted []access) string {
	claims := r.claims(subject, "access_token")
	claims.RID = newGUID()
	claims.Access = &granted
	claims.Exp = r.cloud.Now().Add(acrAccessTokenLifetime).Unix()
	return r.cloud.issue(r.cloud.signer, claims)
}

// claims returns the claims that refresh and access tokens have in common, without the expiry.
func (r *Registry) claims(subject, grant string) acrClaims {
	now := r.cloud.Now().Unix()
	return acrClaims{
		ID: newGUID(), Sub: subject, Nbf: now, Iat: now, Iss: acrIssuer, Aud: r.host,
		Version: "1.0", Grant: grant, Roles: []string{},
	}
}

// verify checks a token that this registry issued.
func (r *Registry) verify(token, grant string) (acrClaims, error) {
	r.cloud.locked(func() {
		if real, ok := r.opaque[token]; ok {
			token = real
		}
	})
	var claims acrClaims
	if err := r.cloud.signer.verify(token, &claims); err != nil {
		return claims, err
	}
	switch {
	case claims.Iss != acrIssuer || claims.Grant != grant:
		return claims, errors.New("not an ACR token of type " + grant)
	case claims.Aud != r.host:
		return claims, errors.New("ACR token for " + claims.Aud)
	case r.cloud.Now().Unix() >= claims.Exp:
		return claims, errors.New("ACR token expired")
	}
	return claims, nil
}
