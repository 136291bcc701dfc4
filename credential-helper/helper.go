package credhelper

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/machine"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// NullGUID is the user name that goes with an ACR token.
const NullGUID = "00000000-0000-0000-0000-000000000000"

// identityTokenUser is the user name by which Docker marks a secret as a token.
const identityTokenUser = "<token>"

// getTimeout keeps the promise that a Get ends within 30 seconds, with some
// time left for what can't be interrupted.
const getTimeout = 28 * time.Second

// Helper answers for Azure container registries. It is safe for many goroutines.
type Helper struct {
	world wiring.World
	rooms func() (*rooms, error)
}

// rooms are the parts that a Get leads through.
type rooms struct{ *wiring.Rooms }

var _ credentials.Helper = (*Helper)(nil)

// Get answers with a user name and secret for a server; see GetContext.
func (h *Helper) Get(server string) (user, pass string, err error) {
	return h.GetContext(context.Background(), server)
}

// GetContext answers with a user name and secret for a server, in any spelling
// that clients send. The error is a NotFoundError where the client should go on
// anonymously, and an Error where something is wrong. It ends within 30 seconds
// even if ctx has no deadline.
func (h *Helper) GetContext(ctx context.Context, server string) (user, pass string, err error) {
	ctx, cancel := context.WithTimeout(ctx, getTimeout)
	defer cancel()
	r, err := h.rooms()
	if err != nil {
		return h.refuse(server, err)
	}
	host, err := r.parseHost(server)
	if err != nil {
		return r.getForeign(ctx, server, err)
	}
	return settle(func() (string, string, error) { return h.get(ctx, r, host) })
}

// GetFreshContext is GetContext, but that it earns a new token although one is kept
// that would do, and although it failed a moment ago: somebody may just have been
// granted a role. The new token is kept. What doesn't renew (a registry's own user, a
// token that came in through Add) is answered as ever.
func (h *Helper) GetFreshContext(ctx context.Context, server string) (user, pass string, err error) {
	return h.GetContext(vault.Anew(ctx), server)
}

// refuse answers where one of our own variables is wrong. Other registries don't
// care.
func (h *Helper) refuse(server string, broken error) (user, pass string, err error) {
	host, err := registry.ParseHost(server)
	if err != nil {
		return "", "", &NotFoundError{Why: broken.Error()}
	}
	return "", "", &Error{Registry: host.String(), Err: broken}
}

// settle asks again while the login that was chosen is being stored anew or
// erased.
func settle(get func() (user, pass string, err error)) (user, pass string, err error) {
	const tries = 10 // each waits for nothing; somebody must be storing in a loop
	for range tries {
		if user, pass, err = get(); !errors.Is(err, vault.ErrChanged) {
			break
		}
	}
	if err != nil {
		return "", "", err
	}
	return user, pass, nil
}

// get chooses an identity and answers for it.
func (h *Helper) get(ctx context.Context, r *rooms, host registry.Host) (user, pass string, err error) {
	id, err := r.Identities.For(host)
	if err != nil {
		return "", "", &Error{Registry: host.String(), Source: id.Source, Err: err}
	}
	h.world.Log.Debug("identity chosen", "registry", host, "identity", id, "source", id.Source)
	user, pass, err = r.answer(ctx, host, id)
	if err != nil && !credentials.IsErrCredentialsNotFound(err) {
		err = &Error{Registry: host.String(), Identity: id.String(), Source: id.Source, Err: err}
	}
	return user, pass, err
}

// answer finds what the identity gets to see as user name and secret.
func (r *rooms) answer(ctx context.Context, host registry.Host, id identity.Identity) (user, pass string, err error) {
	if id.Kind == identity.Anonymous || id.Presumed { // whoever stored a token meant it
		if user, pass, err = r.storedToken(ctx, host, ""); err == nil {
			return user, pass, nil
		}
	}
	switch {
	case id.Kind == identity.Anonymous:
		return "", "", &NotFoundError{Registry: host.String()}
	case id.Kind == identity.None:
		return r.storedToken(ctx, host, id.Source)
	case id.AsStored():
		s, err := r.Vault.Secret(ctx, *id.Login)
		return id.Login.UserName(), s.Reveal(), err
	}
	token, err := r.Vault.Get(ctx, host, id, func(ctx context.Context) (secret.Token, error) {
		return r.fetch(ctx, host, id)
	})
	if id.Presumed && machine.Nobody(err) {
		return r.storedToken(ctx, host, "this machine has no managed identity of its own, or several")
	}
	return NullGUID, token.Value.Reveal(), err
}

// fetch signs in and exchanges: the slow path, which the vault runs once for
// however many processes wait.
func (r *rooms) fetch(ctx context.Context, host registry.Host, id identity.Identity) (secret.Token, error) {
	access, err := r.SignIn(ctx, host, id)
	if closed := new(vault.LoginError); errors.As(err, &closed) {
		return secret.Token{}, err
	}
	if err != nil {
		return secret.Token{}, fmt.Errorf("signing in as %s: %w", id, err)
	}
	token, err := r.Exchange.RefreshToken(ctx, host, access)
	if err != nil {
		return secret.Token{}, fmt.Errorf("exchanging the token of %s: %w", id, err)
	}
	if now, err := r.Identities.For(host); err != nil || !now.Same(id) || id.Uncached {
		// Somebody logged out, or in to Azure CLI as another user, meanwhile: the
		// token may not be the identity's under whose name it would be kept.
		token.Expires = time.Time{}
	}
	return token, nil
}

// storedToken answers with an ACR token that came in through Add. The reason is
// why nobody was chosen, if there is one.
func (r *rooms) storedToken(ctx context.Context, host registry.Host, reason string) (user, pass string, err error) {
	token, err := r.Vault.Get(ctx, host, vault.StoredToken, nil)
	switch {
	case errors.Is(err, vault.ErrSealed):
		return "", "", &NotFoundError{Registry: host.String(), Why: "a token was stored for this registry, but its keyring can't be opened now"}
	case err != nil && reason != "":
		return "", "", &NotFoundError{Registry: host.String(), Why: "nobody is signed in for this registry (" + reason + ")"}
	case err != nil:
		return "", "", &NotFoundError{Registry: host.String(), Why: "nobody is signed in for this registry"}
	}
	return NullGUID, token.Value.Reveal(), nil
}
