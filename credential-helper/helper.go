package credhelper

import (
	"context"
	"errors"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// NullGUID is the user name that goes with an ACR token.
const NullGUID = registry.NullGUID

// A Helper returns credentials for Azure container registries. It is safe for many
// goroutines.
type Helper struct {
	env  app.Env
	open func() (*app.App, error)
}

var _ credentials.Helper = (*Helper)(nil)

// Get returns the user name and secret for a server; see GetContext.
func (h *Helper) Get(server string) (user, secret string, err error) {
	return h.get(context.Background(), server, false)
}

// GetContext returns the user name and secret for a server, in any spelling that clients
// send. The error is a *NotFoundError where the client should go on anonymously, and an
// *Error where something is wrong. It ends within 30 seconds even if ctx has no deadline.
func (h *Helper) GetContext(ctx context.Context, server string) (user, secret string, err error) {
	return h.get(ctx, server, false)
}

// GetFreshContext is like GetContext but ignores the cached token and any recently cached
// failure, and signs in again; use it after a role assignment changed. The new token
// replaces the cached one. Credentials that can't be renewed (admin user,
// repository-scoped token, an ACR token stored through Add) are returned unchanged.
func (h *Helper) GetFreshContext(ctx context.Context, server string) (user, secret string, err error) {
	return h.get(ctx, server, true)
}

func (h *Helper) get(ctx context.Context, server string, refresh bool) (user, secret string, err error) {
	a, err := h.open()
	if err != nil {
		return "", "", public(app.Misconfigured(server, err))
	}
	c, err := a.Get(ctx, server, refresh)
	return c.User, c.Secret.Reveal(), public(err)
}

// Add stores what docker login sends; the user name tells what it is:
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
// Logins for other registries are stored verbatim, or handed to the delegate.
func (h *Helper) Add(c *credentials.Credentials) error {
	a, err := h.open()
	if err != nil {
		return &Error{Registry: c.ServerURL, Err: err}
	}
	return public(a.Store(context.Background(), c.ServerURL, c.Username, secret.New(c.Secret)))
}

// Delete deletes what was stored and cached for a server. A server that doesn't exist, or
// can't, is not an error.
func (h *Helper) Delete(server string) error {
	a, err := h.open()
	if err != nil {
		return err
	}
	return public(a.Erase(context.Background(), server))
}

// List returns the registries that Get may return a credential for (stored logins, valid
// tokens, hosts of the config file), with their user names. It needs neither network nor
// keyring, unless the delegate does, whose servers are added.
func (h *Helper) List() (map[string]string, error) {
	a, err := h.open()
	if err != nil {
		return nil, err
	}
	return a.List(context.Background())
}

// An Error is a failure that a user can do something about: it names the registry and the
// identity.
type Error struct {
	// Registry is the login server.
	Registry string
	// Identity names the selected identity; "" if none was selected.
	Identity string
	// Source says where the choice came from. Where no identity could be selected, it is
	// the login or config entry that is wrong, or "".
	Source string
	// Err is what went wrong.
	Err error
}

func (e *Error) Error() string { return e.Registry + ": " + e.Err.Error() }

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// A NotFoundError says that there is no credential for a server, so that the client goes
// on to its next source of credentials, or anonymously. Clients recognize it by its exact
// text; so does credentials.IsErrCredentialsNotFound.
type NotFoundError struct {
	// Registry is set for an Azure container registry.
	Registry string
	// Why is worth telling the user; "" where nothing is wrong.
	Why string
}

func (e *NotFoundError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error of docker-credential-helpers.
func (e *NotFoundError) Unwrap() error { return credentials.NewErrCredentialsNotFound() }

// public returns an error of this package for one of the program's.
func public(err error) error {
	if missing, ok := errors.AsType[*app.NotFoundError](err); ok {
		return &NotFoundError{Registry: missing.Registry, Why: missing.Reason}
	}
	failed, ok := errors.AsType[*app.Error](err)
	if !ok {
		return err
	}
	e := &Error{Registry: failed.Registry, Source: failed.Identity.Source.String(), Err: failed.Err}
	if !failed.Identity.IsAnonymous() {
		e.Identity = failed.Identity.String()
	}
	return e
}
