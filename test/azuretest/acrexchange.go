package azuretest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// exchange swaps an Entra access token for an ACR refresh token (ACR docs
// AAD-OAuth.md, "Calling POST /oauth2/exchange").
func (r *Registry) exchange(w http.ResponseWriter, req *http.Request) {
	form := req.PostForm
	switch grant := form.Get("grant_type"); grant {
	case "access_token":
	case "access_token_refresh_token", "refresh_token":
		// Azure still takes these two, which hand it an Entra refresh token. No
		// client under test should send one any more.
		badRequest(w, req, "deprecated grant "+grant)
		return
	default:
		badRequest(w, req, "missing or unknown grant_type")
		return
	}
	if form.Has("refresh_token") {
		badRequest(w, req, "refresh_token has no place in this grant")
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
	if t := form.Get("tenant"); t != "" && !r.tenant.called(t) {
		unauthorized(w, req, "tenant is not the registry's")
		return
	}
	if _, ok := r.rightsOf(p.subject()); !ok {
		unauthorized(w, req, "no role")
		return
	}
	sendToken(w, map[string]string{"refresh_token": r.refreshToken(p.subject())})
}

// entraPrincipal checks an Entra access token: this tenant's, not expired, and
// meant for ACR, or for Resource Manager while the policy allows that.
func (r *Registry) entraPrincipal(token string) (Principal, error) {
	p, claims, err := r.tenant.principal(token)
	if err != nil {
		return nil, err
	}
	var noARM bool
	r.set(func() { noARM = r.noARM })
	switch r.tenant.authority.resource(claims.Aud) {
	case "acr":
		return p, nil
	case "arm":
		if !noARM {
			return p, nil
		}
		return nil, errors.New("audience is Resource Manager, which the registry's policy forbids")
	}
	return nil, errors.New("wrong audience " + claims.Aud)
}

// acrIssuer is the issuer of all of ACR's own tokens.
const acrIssuer = "Azure Container Registry"

// acrClaims are the claims of ACR's tokens: of refresh and access tokens alike,
// each leaving out the other's.
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

// permissions sum up the roles at the time of the exchange.
type permissions struct {
	Actions    []string `json:"actions"`
	NotActions []string `json:"notActions"`
}

// RefreshTokenFor mints a refresh token for principal whether it has a role or
// not, as what `az acr login` hands to docker. ShapeRefreshTokens applies.
func (r *Registry) RefreshTokenFor(principal Principal) string {
	return r.refreshToken(principal.subject())
}

// refreshToken mints the token that an exchange answers with, spoilt if the test
// wants it so. Rights in it are information for humans: they are looked up again
// whenever it is used.
func (r *Registry) refreshToken(subject string) string {
	may, _ := r.rightsOf(subject)
	claims := r.claims(subject, "refresh_token")
	claims.Tenant = r.tenant.id
	claims.Permissions = &permissions{Actions: may.all(), NotActions: []string{}}
	var shape TokenShape
	r.set(func() {
		shape = r.shape
		claims.Exp = r.cloud.now().Add(r.rtLife).Unix()
	})
	if shape.Audience != "" {
		claims.Aud = shape.Audience
	}
	if shape.Expired {
		claims.Iat, claims.Nbf, claims.Exp = claims.Iat-4*3600, claims.Nbf-4*3600, claims.Iat-3600
	}
	claims.Padding = strings.Repeat("x", shape.Padding)
	token := r.cloud.signer.sign(claims)
	if shape.Opaque {
		real := token
		token = randomText(40)
		r.set(func() { r.opaque[token] = real })
	}
	r.cloud.canaries.add(token)
	return token
}

// accessToken mints what opens /v2/.
func (r *Registry) accessToken(subject string, granted []access) string {
	claims := r.claims(subject, "access_token")
	claims.RID = newGUID()
	claims.Access = &granted
	r.set(func() { claims.Exp = r.cloud.now().Add(r.atLife).Unix() })
	token := r.cloud.signer.sign(claims)
	r.cloud.canaries.add(token)
	return token
}

// claims are those that refresh and access tokens have in common, less the end.
func (r *Registry) claims(subject, grant string) acrClaims {
	now := r.cloud.Now().Unix()
	return acrClaims{
		ID: newGUID(), Sub: subject, Nbf: now, Iat: now, Iss: acrIssuer, Aud: r.host,
		Version: "1.0", Grant: grant, Roles: []string{},
	}
}

// verify checks one of the registry's own tokens.
func (r *Registry) verify(token, grant string) (acrClaims, error) {
	r.set(func() {
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

// mustJSON encodes this package's own types, which always can be.
func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("azuretest: encoding an answer: " + err.Error())
	}
	return raw
}
