package credhelper

import (
	"context"
	"errors"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// ask has the delegate, if there is one, answer for another registry. What the
// vault holds for it goes first: it was stored while there was no delegate, and Add
// and Delete see to it that nothing older than what the delegate has stays there.
func (r *rooms) ask(ctx context.Context, server string) (user, pass string, err error) {
	d, err := r.Delegate()
	if err != nil { // whoever pulls a public image doesn't care
		return "", "", &NotFoundError{Why: err.Error()}
	}
	if d == nil {
		return "", "", &NotFoundError{}
	}
	user, s, err := d.Get(ctx, server)
	r.Vault.Log.Debug("delegate asked", "helper", d.Name, "registry", server, "answered", err == nil)
	if credentials.IsErrCredentialsNotFound(err) {
		return "", "", &NotFoundError{}
	}
	if err != nil {
		return "", "", &Error{Registry: server, Err: err}
	}
	return user, s.Reveal(), nil
}

// addForeign hands another registry's login to the delegate, and forgets what was
// kept here before, which would answer in its stead; or keeps it here where there
// is none.
func (h *Helper) addForeign(ctx context.Context, r *rooms, c *credentials.Credentials) error {
	d, err := r.Delegate()
	if err != nil {
		return err
	}
	if d == nil {
		return h.addLogin(ctx, r, identity.Login{Server: c.ServerURL, Kind: identity.RegistryUser, User: c.Username}, c.Secret)
	}
	before, _ := r.Vault.Login(c.ServerURL)
	if err := d.Store(ctx, c.ServerURL, c.Username, secret.New(c.Secret)); err != nil {
		return err
	}
	if now, _ := r.Vault.Login(c.ServerURL); now != nil && (before == nil || now.Fingerprint != before.Fingerprint) {
		return nil // the delegate ran us to keep it
	}
	_, err = r.Vault.Erase(ctx, c.ServerURL, func(s string) bool { return s == c.ServerURL })
	return err
}

// eraseElsewhere has the delegate forget another registry's login.
func (r *rooms) eraseElsewhere(ctx context.Context, server string) error {
	d, err := r.Delegate()
	if d != nil {
		err = d.Erase(ctx, server)
	}
	if err != nil {
		return &Error{Registry: server, Err: err}
	}
	return nil
}

// listElsewhere adds what the delegate would answer for. Azure's registries are not
// among that, whatever it has of them; a delegate that fails takes nothing else
// with it.
func (h *Helper) listElsewhere(r *rooms, users map[string]string) {
	d, _ := r.Delegate()
	if d == nil {
		return // List has told of a config file that can't be read
	}
	ctx, cancel := context.WithTimeout(context.Background(), getTimeout)
	defer cancel()
	theirs, err := d.List(ctx)
	if err != nil {
		h.world.Log.Warn("other registries' logins are not listed: " + err.Error())
		return
	}
	clouds, _ := r.Identities.Config.Clouds()
	for server, user := range theirs {
		_, ours := users[server]
		if _, err := clouds.ParseHost(server); !ours && errors.Is(err, registry.ErrForeign) {
			users[server] = user
		}
	}
}
