package app

import (
	"context"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// getOther returns what was stored for another registry, or what the delegate has,
// without any request of its own. A login in the vault takes precedence over the
// delegate: it was stored before there was a delegate, and Store and Erase delete it as
// soon as the delegate has a newer one.
func (a *App) getOther(ctx context.Context, s *vault.Session, server string) (Credential, error) {
	login, err := s.Login(server)
	if err == nil && login == nil {
		return a.getDelegated(ctx, server)
	}
	var value secret.String
	if err == nil {
		value, err = s.Secret(ctx, *login)
	}
	if err != nil {
		e := &Error{Registry: server, Err: err}
		if login != nil {
			e.Identity = login.Identity()
		}
		return Credential{}, e
	}
	return Credential{User: login.UserName(), Secret: value}, nil
}

// getDelegated asks the delegate, if there is one. A wrong config file doesn't concern a
// user who pulls a public image.
func (a *App) getDelegated(ctx context.Context, server string) (Credential, error) {
	d, err := a.Delegate()
	if err != nil {
		return Credential{}, &NotFoundError{Reason: err.Error()}
	}
	if d == nil {
		return Credential{}, &NotFoundError{}
	}
	user, value, err := d.Get(ctx, server)
	a.Log.Debug("delegate called", "helper", d.Name, "registry", server, "found", err == nil)
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		return Credential{}, &NotFoundError{}
	case err != nil:
		return Credential{}, &Error{Registry: server, Err: err}
	}
	return Credential{User: user, Secret: value}, nil
}
