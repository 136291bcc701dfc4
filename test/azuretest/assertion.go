package azuretest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// jwtBearer is the one client_assertion_type there is (RFC 7523 §2.2).
	jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionSkew is how far Entra lets a client's clock be off.
	assertionSkew = 5 * time.Minute
)

// An assertion is a JWT that an application shows in place of a secret.
type assertion struct {
	raw    string
	header struct {
		Alg  string   `json:"alg"`
		Typ  string   `json:"typ"`
		X5T  string   `json:"x5t"`
		S256 string   `json:"x5t#S256"`
		X5C  []string `json:"x5c"`
	}
	claims assertionClaims
}

type assertionClaims struct {
	Iss string    `json:"iss"`
	Sub string    `json:"sub"`
	Aud audiences `json:"aud"`
	Exp float64   `json:"exp"`
	Nbf float64   `json:"nbf"`
	JTI string    `json:"jti"`
}

// audiences is one string or a list of them (RFC 7519 §4.1.3).
type audiences []string

func (a *audiences) UnmarshalJSON(raw []byte) error {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(raw, (*[]string)(a))
}

func parseAssertion(raw string) (*assertion, error) {
	a := &assertion{raw: raw}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, errNotJWT
	}
	if err := decodeSegment(parts[0], &a.header); err != nil {
		return nil, err
	}
	return a, decodeSegment(parts[1], &a.claims)
}

// timely tells whether the assertion is within its time at now.
func (a *assertion) timely(now time.Time) bool {
	at := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	return a.claims.Exp != 0 && now.Before(at(a.claims.Exp).Add(assertionSkew)) && !now.Before(at(a.claims.Nbf).Add(-assertionSkew))
}

// signedBy checks the signature with an RSA key (RFC 7518 §3.3 and §3.5).
func (a *assertion) signedBy(key *rsa.PublicKey) error {
	input, last := a.raw[:strings.LastIndex(a.raw, ".")], a.raw[strings.LastIndex(a.raw, ".")+1:]
	sig, err := base64.RawURLEncoding.DecodeString(last)
	if err != nil {
		return errNotJWT
	}
	digest := sha256.Sum256([]byte(input))
	switch a.header.Alg {
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, digest[:], sig, nil)
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], sig)
	}
	return errors.New("an algorithm that Entra doesn't take")
}

// assertion authenticates an application by its client_assertion: the
// application's own, signed by its certificate, or that of an issuer which the
// application trusts. Only the latter's issuer is a URL.
func (q *entraRequest) assertion(app *ServicePrincipal, form url.Values) (*ServicePrincipal, bool) {
	a, err := parseAssertion(form.Get("client_assertion"))
	if err != nil {
		return nil, q.refuse(700027, "")
	}
	if form.Get("client_assertion_type") != jwtBearer {
		return nil, q.refuse(900144, "", "{parameter}", "client_assertion_type")
	}
	verify := q.certified
	if strings.HasPrefix(a.claims.Iss, "https://") {
		verify = q.federated
	}
	code := verify(app, a)
	if app.isDisabled() {
		code = 7000112
	}
	if code != 0 {
		return nil, q.refuse(code, "", "{app}", app.clientID, "{subject}", a.claims.Sub, "{issuer}", a.claims.Iss,
			"{audience}", strings.Join(a.claims.Aud, " "))
	}
	return app, true
}

// certified checks an assertion that the application signed itself (Microsoft
// Learn, "Microsoft identity platform application authentication certificate
// credentials"). It returns the code of a refusal, or 0.
func (q *entraRequest) certified(app *ServicePrincipal, a *assertion) int {
	cert, code := app.signingCertificate(a)
	if code != 0 {
		return code
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	now := q.cloud.Now()
	switch {
	case !ok || a.signedBy(key) != nil || now.After(cert.NotAfter):
		return 700027
	case !strings.EqualFold(a.claims.Iss, app.clientID) || a.claims.Sub != a.claims.Iss:
		return 700021
	case len(a.claims.Aud) != 1 || !q.isTokenEndpoint(app.tenant, a.claims.Aud[0]):
		return 700023
	case a.claims.JTI == "" || a.claims.Nbf == 0:
		return 50027
	case !a.timely(now):
		return 700024
	}
	return 0
}

// isTokenEndpoint tells whether an audience is the token endpoint that was asked,
// under any name of the authority and the tenant.
func (q *entraRequest) isTokenEndpoint(t *Tenant, audience string) bool {
	u, err := url.Parse(audience)
	if err != nil || u.Scheme != "https" || !slices.Contains(q.authority.hosts, u.Host) {
		return false
	}
	tenant, ok := strings.CutSuffix(strings.TrimPrefix(u.Path, "/"), "/oauth2/v2.0/token")
	return ok && t.called(tenant)
}
