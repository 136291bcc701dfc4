package azuretest

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	// jwtBearer is the only client_assertion_type (RFC 7523 §2.2).
	jwtBearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionSkew is the clock skew that Entra accepts.
	assertionSkew = 5 * time.Minute
)

// An assertion is a JWT that an application sends instead of a secret.
type assertion struct {
	raw    string
	header struct {
		Alg  string   `json:"alg"`
		Typ  string   `json:"typ"`
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

// audiences is a string or a list of strings (RFC 7519 §4.1.3).
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

// isCurrent reports whether the assertion is valid at now, by its times.
func (a *assertion) isCurrent(now time.Time) bool {
	at := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	return a.claims.Exp != 0 && now.Before(at(a.claims.Exp).Add(assertionSkew)) &&
		!now.Before(at(a.claims.Nbf).Add(-assertionSkew))
}

// isSignedBy reports whether the assertion has a valid signature (RFC 7518 §3.5), with the algorithm that Microsoft
// documents.
func (a *assertion) isSignedBy(key *rsa.PublicKey) bool {
	end := strings.LastIndex(a.raw, ".")
	sig, err := base64.RawURLEncoding.DecodeString(a.raw[end+1:])
	digest := sha256.Sum256([]byte(a.raw[:end]))
	return err == nil && a.header.Alg == "PS256" && rsa.VerifyPSS(key, crypto.SHA256, digest[:], sig, nil) == nil
}

// assertion authenticates an application by its client_assertion, signed with the application's certificate or by an
// issuer of a federated credential. Only the latter has a URL as issuer.
func (q *entraRequest) assertion(app *ServicePrincipal, form url.Values) (*ServicePrincipal, bool) {
	a, err := parseAssertion(form.Get("client_assertion"))
	if err != nil {
		return nil, q.refuse(700027, "")
	}
	if form.Get("client_assertion_type") != jwtBearer {
		return nil, q.refuse(900144, "", "{parameter}", "client_assertion_type")
	}
	verify := q.certificateAssertion
	if strings.HasPrefix(a.claims.Iss, "https://") {
		verify = q.federatedAssertion
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

// certificateAssertion checks an assertion signed with the application's certificate (Microsoft Learn, "Microsoft
// identity platform application authentication certificate credentials"). It returns the AADSTS code of a refusal, or
// 0.
func (q *entraRequest) certificateAssertion(app *ServicePrincipal, a *assertion) int {
	cert, code := app.signingCertificate(a)
	if code != 0 {
		return code
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	now := q.cloud.Now()
	switch {
	case !ok || !a.isSignedBy(key) || now.After(cert.NotAfter):
		return 700027
	case !strings.EqualFold(a.claims.Iss, app.clientID) || a.claims.Sub != a.claims.Iss:
		return 700021
	case len(a.claims.Aud) != 1 || !q.isTokenEndpoint(app.tenant, a.claims.Aud[0]):
		return 700023
	case a.claims.JTI == "" || a.claims.Nbf == 0:
		return 50027
	case !a.isCurrent(now):
		return 700024
	}
	return 0
}

// isTokenEndpoint reports whether an audience is the requested token endpoint, under any name of the authority and
// the tenant.
func (q *entraRequest) isTokenEndpoint(t *Tenant, audience string) bool {
	u, err := url.Parse(audience)
	if err != nil || u.Scheme != "https" || !slices.Contains(q.authority.hosts, u.Host) {
		return false
	}
	tenant, ok := strings.CutSuffix(strings.TrimPrefix(u.Path, "/"), "/oauth2/v2.0/token")
	return ok && t.hasName(tenant)
}
