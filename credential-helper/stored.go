package credhelper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// getForeign answers for other registries what was stored for them, and never
// reaches the network.
func (h *Helper) getForeign(ctx context.Context, server string, why error) (user, pass string, err error) {
	if !errors.Is(why, registry.ErrForeign) {
		return "", "", &NotFoundError{Why: why.Error()}
	}
	r, err := h.rooms()
	if err != nil {
		return "", "", &NotFoundError{Why: err.Error()}
	}
	return settle(func() (string, string, error) { return r.foreign(ctx, server) })
}

func (r *rooms) foreign(ctx context.Context, server string) (user, pass string, err error) {
	login, err := r.vault.Login(server)
	if err != nil {
		return "", "", &Error{Registry: server, Err: err}
	}
	if login == nil {
		return "", "", &NotFoundError{}
	}
	s, err := r.vault.Secret(ctx, *login)
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
	ctx, cancel := context.WithTimeout(context.Background(), getTimeout)
	defer cancel()
	host, err := registry.ParseHost(server)
	if refused := new(registry.RefusedError); errors.As(err, &refused) { // docker logout sends http://HOST as well
		host, err = registry.ParseHost(strings.TrimPrefix(server, "http://"))
	}
	switch {
	case err == nil:
		return r.vault.Erase(ctx, host.String())
	case errors.Is(err, registry.ErrForeign):
		return r.vault.Erase(ctx, server)
	}
	return nil
}

// List names the registries that the helper has something for (stored logins,
// living tokens, hosts that a config file names), each with the user name that
// goes with it. It needs neither network nor keyring.
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
		case l.Kind == identity.RegistryUser, l.Kind == identity.ServicePrincipal && l.Tenant == "":
			users[l.Server] = l.UserName()
		case users[l.Server] == "":
			users[l.Server] = NullGUID
		}
	}
	return users, nil
}
