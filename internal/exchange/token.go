package exchange

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// maxToken is the longest ACR token to be believed. Real ones have about 1 KB,
// some with a role of many actions 3 KB.
const maxToken = 16 << 10

// maxLife is the longest life to be believed. ACR tokens live three hours; a
// number far above is a mistake that must not be kept.
const maxLife = 24 * time.Hour

// Claims is what can be read in an ACR token. Registries publish no key for
// clients, so nobody but the registry can tell whether a token is genuine.
type Claims struct {
	jwt.RegisteredClaims
	// TenantID is the Entra tenant that the token's owner belongs to.
	TenantID string `json:"tenant"`
}

// Parse reads the claims of an ACR token without verifying it. An error means
// that the token is opaque to us, not that it is worth nothing.
func Parse(token string) (Claims, error) {
	var claims Claims
	_, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	if err != nil || claims.ExpiresAt == nil {
		return Claims{}, errors.New("not a token with an end") // the parser's text could quote it
	}
	return claims, nil
}

// For says whether the token is meant for a registry. A regional endpoint's
// token may name the registry as a whole.
func (c Claims) For(host registry.Host) bool {
	return slices.Contains(c.Audience, host.String()) || slices.Contains(c.Audience, host.Global())
}

// life is how long a token lives from now on. It trusts the distance between
// the token's own times, and the server's clock (date) for how much of it has
// passed, because the local clock may be wrong by hours. Zero or less: ended.
func (c Claims) life(date time.Time) time.Duration {
	life := c.ExpiresAt.Sub(date)
	if c.IssuedAt != nil {
		life = min(life, c.ExpiresAt.Sub(c.IssuedAt.Time))
	}
	return life
}

// Received is a token that came in just now, through store: it ends when it
// says, or after its life counted from now, whichever comes first. An error
// says why the token is of no use to the registry.
func Received(host registry.Host, value string, now time.Time) (secret.Token, Claims, error) {
	claims, err := Parse(value)
	switch {
	case err != nil || !wellFormed(value):
		return secret.Token{}, Claims{}, errors.New("it is not an ACR token")
	case !claims.For(host):
		return secret.Token{}, Claims{}, errors.New("it is a token for another registry or service")
	case claims.life(now) <= 0:
		return secret.Token{}, Claims{}, errors.New("it has expired")
	}
	life := min(claims.life(now), maxLife)
	return secret.Token{Value: secret.New(value), Issued: now, Expires: now.Add(life)}, claims, nil
}

// wellFormed accepts what may travel in a header: printable ASCII, no spaces.
func wellFormed(token string) bool {
	return token != "" && len(token) <= maxToken &&
		!strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
