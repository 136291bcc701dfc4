package vault

import (
	"context"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// An access token is cached for an hour at most, and not used in its last five minutes, as
// in MSAL: a revoked sign-in ends then.
const (
	maxAccessLife = time.Hour
	accessMargin  = 5 * time.Minute
)

// AccessToken returns a cached Entra access token, which an identity uses for all of its
// registries, or what signIn gets. Processes share it, and a failure, as in Token; what is
// older than since doesn't count. The token ends when it must no longer be used for a
// request.
func (s *Session) AccessToken(
	ctx context.Context, host registry.Host, id identity.Identity, since time.Time, signIn Fetch,
) (secret.Token, error) {
	key := newAccessKey(host, id)
	key.since = since
	return s.token(ctx, key, false, func(ctx context.Context) (secret.Token, error) {
		token, err := signIn(ctx)
		if !token.Expires.IsZero() {
			last := token.Issued.Add(maxAccessLife)
			if token.Expires.Before(last) {
				last = token.Expires
			}
			token.Expires = last.Add(-accessMargin)
		}
		return token, err
	})
}

// DropAccessToken deletes the cached access token of an identity, and reports whether the
// vault had one.
func (s *Session) DropAccessToken(host registry.Host, id identity.Identity) (found bool) {
	key := newAccessKey(host, id)
	if s.Memory != nil {
		s.Memory.drop(key.name)
	}
	spaces, _ := s.keyspaces()
	for _, space := range spaces {
		found = s.dir.Remove(space, key.file()) == nil || found
	}
	return found
}
