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
func (r *rooms) getForeign(ctx context.Context, server string, why error) (user, pass string, err error) {
	if !errors.Is(why, registry.ErrForeign) {
		return "", "", &NotFoundError{Why: why.Error()}
	}
	return settle(func() (string, string, error) { return r.foreign(ctx, server) })
}

// parseHost knows the config files' clouds, too. While those can't be read, the
// built-in ones must do: For says what is wrong, and other registries don't care.
func (r *rooms) parseHost(server string) (registry.Host, error) {
	clouds, err := r.Identities.Config.Clouds()
	if err != nil {
		r.Vault.Log.Debug("custom clouds are not known", "why", err)
		clouds = nil
	}
	return clouds.ParseHost(server)
}

func (r *rooms) foreign(ctx context.Context, server string) (user, pass string, err error) {
	login, err := r.Vault.Login(server)
	if err != nil {
		return "", "", &Error{Registry: server, Err: err}
	}
	if login == nil {
		return r.ask(ctx, server)
	}
	s, err := r.Vault.Secret(ctx, *login)
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
	host, err := r.parseHost(server)
	if refused := new(registry.RefusedError); errors.As(err, &refused) { // docker logout sends http://HOST as well
		host, err = r.parseHost(strings.TrimPrefix(server, "http://"))
	}
	switch {
	case err == nil:
		server = host.String()
	case !errors.Is(err, registry.ErrForeign):
		return nil
	}
	_, failed := r.Vault.Erase(ctx, server, func(s string) bool { return s == server })
	if failed != nil {
		failed = &Error{Registry: server, Err: failed}
	}
	if err != nil {
		failed = errors.Join(failed, r.eraseElsewhere(ctx, server))
	}
	return failed
}

// List names the registries that the helper has something for (stored logins,
// living tokens, hosts that a config file names), each with the user name that
// goes with it. It needs neither network nor keyring, unless the delegate does,
// whose servers come on top.
func (h *Helper) List() (map[string]string, error) {
	r, err := h.rooms()
	if err != nil {
		return nil, err
	}
	hosts, err := r.Identities.Config.Hosts()
	if err != nil { // other registries' logins are still there
		h.world.Log.Warn(err.Error())
	}
	known, err := r.Vault.List()
	if err != nil {
		return nil, fmt.Errorf("listing the vault: %w", err)
	}
	users := map[string]string{}
	for _, host := range hosts {
		users[host] = NullGUID
	}
	for _, l := range known {
		switch {
		case strings.Contains(l.Server, "*"), l.Kind == identity.Anonymous: // answers for no name that is known, or for none
		case l.Identity().AsStored():
			users[l.Server] = l.UserName()
		case users[l.Server] == "":
			users[l.Server] = NullGUID
		}
	}
	h.listElsewhere(r, users)
	return users, nil
}
