package exchange

import (
	"errors"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// maxToken is the longest ACR token that is accepted, in bytes. Real ones have about 1 KB, some
// with a role of many actions 3 KB.
const maxToken = 16 << 10

// ACR tokens live three hours. One that says that it lives longer is not used for longer;
// maxLife is the longest life that is plausible: more is a mistake that must not be cached.
const (
	maxUse  = 3 * time.Hour
	maxLife = 24 * time.Hour
)

// maxSkew is how far this computer's clock may be off to count as right.
const maxSkew = time.Minute

// Claims is what can be read in an ACR token. Registries publish no key, so only the
// registry can tell whether a token is genuine.
type Claims struct {
	jwt.RegisteredClaims
	// TenantID is the Entra tenant that the token's owner belongs to.
	TenantID string `json:"tenant"`
}

// Parse reads the claims of an ACR token without verifying it. An error means that they
// can't be read, not that the token is worthless.
func Parse(token string) (Claims, error) {
	var claims Claims
	_, _, err := jwt.NewParser().ParseUnverified(token, &claims)
	if err != nil || claims.ExpiresAt == nil {
		return Claims{}, errors.New("not a token with an end") // the parser's error may quote it
	}
	return claims, nil
}

// For reports whether the token is for a registry. A regional endpoint's token may name
// the whole registry.
func (c Claims) For(host registry.Host) bool {
	return slices.Contains(c.Audience, host.String()) || slices.Contains(c.Audience, host.Global())
}

// life returns how long a token will live, counted from the server's clock (date): the
// local clock may be wrong by hours. It is at most the distance between the token's own
// times; 0 or less means that the token has ended.
func (c Claims) life(date time.Time) time.Duration {
	life := c.ExpiresAt.Sub(date)
	if c.IssuedAt != nil {
		life = min(life, c.ExpiresAt.Sub(c.IssuedAt.Time))
	}
	return life
}

// hasEnded reports whether a token is in its last seconds, or past its end, by the local
// clock.
func (c Claims) hasEnded(now time.Time) bool {
	left := c.life(now)
	if c.IssuedAt == nil {
		return left <= secret.Margin(left)
	}
	return left <= secret.Margin(c.ExpiresAt.Sub(c.IssuedAt.Time))
}

// end returns when a token that was received now ends by the local clock, whose life counts
// from the server's clock (date). A local clock that is right decides together with the
// token's own end: of two clocks that differ by seconds, the later one would use it too long.
func (c Claims) end(now, date time.Time, life time.Duration) time.Time {
	end := now.Add(min(life, maxUse))
	if now.Sub(date).Abs() < maxSkew && c.ExpiresAt.Before(end) {
		return c.ExpiresAt.Time
	}
	return end
}

// Accept checks a token that another program obtained and stored now. It ends when it
// says, after its life counted from now, or in three hours, whichever is earlier. An error says why the
// token can't be used for the registry.
func Accept(host registry.Host, value string, now time.Time) (secret.Token, Claims, error) {
	claims, err := Parse(value)
	switch {
	case err != nil || len(value) > maxToken || !text.IsVisible(value):
		return secret.Token{}, Claims{}, errors.New("it is not an ACR token")
	case !claims.For(host):
		return secret.Token{}, Claims{}, errors.New("it is a token for another registry or service")
	case claims.hasEnded(now):
		return secret.Token{}, Claims{}, fault.New(fault.RegistryExpired, "it ended at %s, and this computer's clock says %s",
			claims.ExpiresAt.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	life := min(claims.life(now), maxUse)
	return secret.Token{Value: secret.New(value), Issued: now, Expires: now.Add(life)}, claims, nil
}
