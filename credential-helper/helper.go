package credhelper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
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
	environ   []string
	transport http.RoundTripper
	log       *slog.Logger
	now       func() time.Time

	rooms func() (*rooms, error)
}

var _ credentials.Helper = (*Helper)(nil)

// New returns a Helper. It reads nothing, can't fail and can't block; what it
// needs it looks up at the first call.
func New(options ...Option) *Helper {
	h := &Helper{transport: http.DefaultTransport, log: slog.New(slog.DiscardHandler), now: time.Now}
	for _, o := range options {
		o(h)
	}
	h.rooms = sync.OnceValues(h.open)
	return h
}

// NewACRCredentialsHelper returns New() under the name that other helpers for
// ACR export, so that an import path is all that changes.
func NewACRCredentialsHelper() credentials.Helper { return New() }

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
	host, err := registry.ParseHost(server)
	if err != nil {
		return h.getForeign(ctx, server, err)
	}
	r, err := h.rooms()
	if err != nil {
		return "", "", &Error{Registry: host.String(), Err: err}
	}
	id, err := r.identities.For(host)
	if err != nil {
		return "", "", &Error{Registry: host.String(), Err: err}
	}
	h.log.Debug("identity chosen", "registry", host, "identity", id, "source", id.Source)
	user, pass, err = r.answer(ctx, host, id)
	if err != nil && !credentials.IsErrCredentialsNotFound(err) {
		err = &Error{Registry: host.String(), Identity: id.String(), Source: id.Source, Err: err}
	}
	return user, pass, err
}

// answer finds what the identity gets to see as user name and secret.
func (r *rooms) answer(ctx context.Context, host registry.Host, id identity.Identity) (user, pass string, err error) {
	switch {
	case id.Kind == identity.Anonymous:
		return "", "", &NotFoundError{Registry: host.String()}
	case id.Kind == identity.None:
		return r.storedToken(ctx, host)
	case id.Kind == identity.RegistryUser, id.Kind == identity.ServicePrincipal && id.Tenant == "":
		s, err := r.vault.Secret(ctx, *id.Login)
		return id.Login.UserName(), s.Reveal(), err
	}
	token, err := r.vault.Get(ctx, host, id, func(ctx context.Context) (secret.Token, error) {
		return r.fetch(ctx, host, id)
	})
	return NullGUID, token.Value.Reveal(), err
}

// fetch signs in and exchanges: the slow path, which the vault runs once for
// however many processes wait.
func (r *rooms) fetch(ctx context.Context, host registry.Host, id identity.Identity) (token secret.Token, err error) {
	if id.Login != nil {
		if id.Secret, err = r.vault.Secret(ctx, *id.Login); err != nil {
			return secret.Token{}, err
		}
	}
	access, err := r.entra.AccessToken(ctx, id, host.Cloud())
	if err != nil {
		return secret.Token{}, fmt.Errorf("signing in as %s: %w", id, err)
	}
	token, err = r.exchange.RefreshToken(ctx, host, access)
	if err != nil {
		return secret.Token{}, fmt.Errorf("exchanging the token of %s: %w", id, err)
	}
	return token, nil
}

// storedToken answers with an ACR token that came in through Add.
func (r *rooms) storedToken(ctx context.Context, host registry.Host) (user, pass string, err error) {
	token, err := r.vault.Get(ctx, host, storedTokenIdentity, nil)
	if err != nil {
		return "", "", &NotFoundError{Registry: host.String(), Why: "nobody is signed in for this registry"}
	}
	return NullGUID, token.Value.Reveal(), nil
}

// getForeign answers for other registries what was stored for them, and never
// reaches the network.
func (h *Helper) getForeign(ctx context.Context, server string, why error) (user, pass string, err error) {
	if !errors.Is(why, registry.ErrForeign) {
		return "", "", &NotFoundError{Why: why.Error()}
	}
	r, err := h.rooms()
	if err != nil {
		return "", "", &NotFoundError{}
	}
	login, err := r.vault.Login(server)
	if login == nil && err == nil {
		return "", "", &NotFoundError{}
	}
	var s secret.String
	if err == nil {
		s, err = r.vault.Secret(ctx, *login)
	}
	if err != nil {
		return "", "", &Error{Registry: server, Err: err}
	}
	return login.UserName(), s.Reveal(), nil
}

// Delete forgets what was stored and cached for a server. What isn't there, or
// can't be a server, is forgotten already.
func (h *Helper) Delete(server string) error {
	r, err := h.rooms()
	if err != nil {
		return err
	}
	host, err := registry.ParseHost(server)
	if refused := new(registry.RefusedError); errors.As(err, &refused) { // docker logout sends http://HOST as well
		host, err = registry.ParseHost(strings.TrimPrefix(server, "http://"))
	}
	switch {
	case err == nil:
		return r.vault.Erase(host.String())
	case errors.Is(err, registry.ErrForeign):
		return r.vault.Erase(server)
	}
	return nil
}

// List names every registry that the helper would answer for, with the user
// name that it would answer with. It needs neither network nor keyring.
func (h *Helper) List() (map[string]string, error) {
	r, err := h.rooms()
	if err != nil {
		return nil, err
	}
	hosts, err := r.identities.Hosts()
	if err != nil {
		return nil, err
	}
	known, err := r.vault.List()
	if err != nil {
		return nil, fmt.Errorf("listing the vault: %w", err)
	}
	users := map[string]string{}
	for _, host := range hosts {
		users[host] = NullGUID
	}
	for _, l := range known {
		switch {
		case l.Kind == identity.RegistryUser:
			users[l.Server] = l.User
		case users[l.Server] == "":
			users[l.Server] = NullGUID
		}
	}
	return users, nil
}

// storedTokenIdentity stands for whoever earned a token that came in from outside.
var storedTokenIdentity = identity.Identity{Kind: identity.ACRToken, Audience: registry.Audience}
