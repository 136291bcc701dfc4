package credhelper

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// Add keeps what docker login stores. What it is shows in the user name:
//
//   - The null GUID or <token>, with an ACR token: docker login storing back
//     what Get had answered, or az acr login storing its own. It is ignored where
//     an identity is chosen for the registry, which earns better ones, and
//     otherwise kept until its end.
//   - A GUID, with a client secret: a service principal, to be exchanged from now
//     on. Its tenant comes from the config file, from AZURE_TENANT_ID or from an
//     ACR token seen for the registry; until one is known, Get returns the
//     secret as it was stored, which registries accept too.
//   - Anything else: the registry's admin user or a scoped token.
//
// Logins for other registries are kept as they are, or handed to the delegate.
func (h *Helper) Add(c *credentials.Credentials) error {
	ctx, cancel := context.WithTimeout(context.Background(), getTimeout)
	defer cancel()
	r, err := h.rooms()
	if err != nil {
		return &Error{Registry: c.ServerURL, Err: err}
	}
	host, err := r.parseHost(c.ServerURL)
	if refused := new(registry.RefusedError); errors.As(err, &refused) {
		return fmt.Errorf("storing a login: %w", err)
	}
	name := c.ServerURL
	if err == nil {
		name = host.String()
		err = h.addRegistry(ctx, r, host, c)
	} else {
		err = h.addForeign(ctx, r, c)
	}
	if err != nil {
		return &Error{Registry: name, Err: err}
	}
	return nil
}

func (h *Helper) addRegistry(ctx context.Context, r *rooms, host registry.Host, c *credentials.Credentials) error {
	switch {
	case c.Username == NullGUID, c.Username == identityTokenUser:
		return h.addToken(ctx, r, host, c.Secret)
	case identity.IsGUID(c.Username):
		tenant := r.Identities.TenantFor(host)
		if seen := r.Vault.RegistryTenant(host.String()); tenant == "" && identity.IsGUID(seen) {
			tenant = seen
		}
		if tenant == "" {
			h.world.Log.Warn("the tenant of this service principal is not known, so its secret itself will go to the registry; to have it swapped for tokens, set AZURE_TENANT_ID and log in again")
		}
		login := identity.Login{Server: host.String(), Kind: identity.ServicePrincipal, ClientID: c.Username, Tenant: tenant}
		return h.addLogin(ctx, r, login, c.Secret)
	}
	return h.addLogin(ctx, r, identity.Login{Server: host.String(), Kind: identity.RegistryUser, User: c.Username}, c.Secret)
}

// addLogin keeps a login for good, and says so if the keyring can't promise it.
func (h *Helper) addLogin(ctx context.Context, r *rooms, l identity.Login, value string) error {
	if value == "" {
		return fmt.Errorf("storing the login of %q: the password is empty", l.UserName())
	}
	if _, err := r.Keep(ctx, l, secret.New(value)); err != nil {
		return fmt.Errorf("storing the login of %q: %w", l.UserName(), err)
	}
	return nil
}

// addToken keeps an ACR token where nobody could earn one.
func (h *Helper) addToken(ctx context.Context, r *rooms, host registry.Host, value string) error {
	token, claims, unusable := exchange.Received(host, value, h.world.Now())
	id, err := r.Identities.For(host)
	if err != nil {
		return err
	}
	if !id.Nobody() && !id.Presumed {
		h.world.Log.Debug("token not stored", "why", "it is earned when needed", "identity", id)
		h.learnTenant(ctx, r, id, claims.TenantID)
		return nil
	}
	if unusable != nil {
		return fmt.Errorf("storing a token: %w", unusable)
	}
	if err := r.Vault.PutToken(ctx, host, vault.StoredToken, token, claims.TenantID); err != nil {
		h.world.Log.Warn("this login is not kept: " + err.Error()) // no great loss, and to fail would fail docker login
		return nil
	}
	h.world.Log.Warn("this login ends at " + token.Expires.Local().Format("15:04") + ": it is a token, which can't be renewed; to stay signed in, use az login or docker-credential-acr login")
	return nil
}

// learnTenant completes a stored service principal whose tenant nobody knew
// with the one that its own ACR token names. Failing that nothing is lost: the
// secret is still returned as it was stored.
func (h *Helper) learnTenant(ctx context.Context, r *rooms, id identity.Identity, tenant string) {
	if id.Login == nil || id.Kind != identity.ServicePrincipal || id.Tenant != "" || !identity.IsGUID(tenant) {
		return
	}
	if err := r.Vault.LearnTenant(ctx, *id.Login, tenant); err != nil {
		h.world.Log.Debug("the tenant could not be kept", "why", err)
	}
}
