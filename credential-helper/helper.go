package credhelper

import (
	"context"
	"errors"
	"sync"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// NullGUID is the user name that goes with an ACR token.
const NullGUID = registry.NullGUID

// A Helper returns credentials for Azure container registries. It is safe for many
// goroutines; make one and keep it, because its cache in memory is its own.
type Helper struct {
	mu  sync.Mutex
	env app.Env
}

var _ credentials.Helper = (*Helper)(nil)

// A GetOption changes what one GetContext does. A nil GetOption changes nothing.
type GetOption func(*getOptions)

type getOptions struct{ refresh bool }

// Refresh ignores the cached token and any recent failure, and signs in again; use it
// after a role assignment changed, or when a registry refused the token. The new token
// replaces the cached one. Credentials that can't be renewed (admin user,
// repository-scoped token, an ACR token stored through Add) are returned unchanged. It
// costs all the requests of a first Get, so don't use it for every one.
func Refresh() GetOption { return func(o *getOptions) { o.refresh = true } }

// Get is GetContext with context.Background.
func (h *Helper) Get(server string) (user, secret string, err error) {
	return h.GetContext(context.Background(), server)
}

// GetContext returns the user name and secret for a server, in any spelling that clients
// send. The error is a *NotFoundError where the client should go on anonymously, and an
// *Error where something is wrong. It ends within 30 seconds even if ctx has no deadline.
//
// A cached token costs some reads of small files. Otherwise the identity signs in and the
// registry exchanges its token: usually two to four requests, which goroutines and
// processes that need the same token share.
func (h *Helper) GetContext(ctx context.Context, server string, opts ...GetOption) (user, secret string, err error) {
	var o getOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	a, err := h.open()
	if err != nil {
		return "", "", public(ctx, app.Misconfigured(server, err))
	}
	c, err := a.Get(ctx, server, o.refresh)
	return c.User, c.Secret.Reveal(), public(ctx, err)
}

// Add is AddContext with context.Background.
func (h *Helper) Add(c *credentials.Credentials) error { return h.AddContext(context.Background(), c) }

// AddContext stores what docker login sends; the user name tells what it is:
//
//   - The null GUID or <token>, with an ACR token: docker login stores what Get returned,
//     or az acr login its own token. It is ignored where an identity is selected for the
//     registry, which obtains its own tokens, and otherwise kept until it ends.
//   - A GUID, with a client secret: a service principal, which is exchanged from now on.
//     Its tenant comes from the config file, from AZURE_TENANT_ID or from an ACR token
//     seen for the registry; until one is known, Get returns the secret as it was stored,
//     which registries accept too.
//   - Anything else: the registry's admin user or a repository-scoped token.
//
// Logins for other registries are stored verbatim, or handed to the delegate. Storing a
// login needs a keyring. The error is an *Error.
func (h *Helper) AddContext(ctx context.Context, c *credentials.Credentials) error {
	a, err := h.open()
	if err != nil {
		return notOpened(ctx, c.ServerURL, err)
	}
	return public(ctx, a.Store(ctx, c.ServerURL, c.Username, secret.New(c.Secret)))
}

// Delete is DeleteContext with context.Background.
func (h *Helper) Delete(server string) error { return h.DeleteContext(context.Background(), server) }

// DeleteContext deletes what was stored and cached for a server, in memory too. A server
// that doesn't exist, or can't, is not an error. The error is an *Error.
func (h *Helper) DeleteContext(ctx context.Context, server string) error {
	a, err := h.open()
	if err != nil {
		return notOpened(ctx, server, err)
	}
	return public(ctx, a.Erase(ctx, server))
}

// List is ListContext with context.Background.
func (h *Helper) List() (map[string]string, error) { return h.ListContext(context.Background()) }

// ListContext returns the registries that Get would now return a credential for, as far as
// that is known offline, with their user names: those of stored logins, the config file,
// tokens on disk (also such that have ended) and the files of Docker and Podman. It needs
// neither network nor keyring, unless the delegate does, whose servers are added. The error
// is an *Error.
func (h *Helper) ListContext(ctx context.Context) (map[string]string, error) {
	a, err := h.open()
	if err != nil {
		return nil, notOpened(ctx, "", err)
	}
	users, err := a.List(ctx)
	return users, public(ctx, err)
}

// open reads the environment and the config file again, so that their changes count at
// once. The key store stays, because it remembers which keyrings don't answer, and so do
// the transport's connections.
func (h *Helper) open() (*app.App, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	env := h.env
	if env.Environ == nil {
		env.Environ = environ()
	}
	a, err := app.Open(env)
	if err == nil {
		h.env.Library.Keys, h.env.Transport = a.Keys, a.Transport
	}
	return a, err
}

// notOpened is the error for an operation on a server where open failed. An invalid name
// isn't repeated: there may be a password in it.
func notOpened(ctx context.Context, server string, err error) error {
	switch host, invalid := registry.ParseHost(server); {
	case invalid == nil:
		server = host.String()
	case errors.Is(invalid, registry.ErrInvalid):
		server = ""
	}
	return public(ctx, &app.Error{Registry: server, Err: err})
}
