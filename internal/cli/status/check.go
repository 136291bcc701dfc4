package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// check opens what is stored for a registry, as get would; nil if it can be used.
func (s survey) check(ctx context.Context, server string) error {
	host, err := s.clouds.ParseHost(server)
	if err != nil {
		return s.opens(ctx, server)
	}
	id, err := s.rooms.Identities.For(host)
	if err != nil {
		return &credhelper.Error{Registry: server, Source: id.Source, Err: err}
	}
	if err = s.usable(ctx, host, id); err != nil {
		err = &credhelper.Error{Registry: server, Identity: id.String(), Source: id.Source, Err: err}
	}
	return err
}

// opens is about another registry.
func (s survey) opens(ctx context.Context, server string) error {
	login, err := s.rooms.Vault.Login(server)
	if err != nil {
		return err
	}
	if login != nil {
		_, err = s.rooms.Vault.Secret(ctx, *login)
		return err
	}
	d, err := s.rooms.Delegate()
	if err != nil || d == nil {
		return cmp.Or(err, errors.New("nothing is stored"))
	}
	_, _, err = d.Get(ctx, server)
	if credentials.IsErrCredentialsNotFound(err) {
		return errors.New(d.Program() + " has nothing for it")
	}
	return err
}

// usable looks for a token first, and for a login only where no token is kept, so
// that the keyring is read once.
func (s survey) usable(ctx context.Context, host registry.Host, id identity.Identity) error {
	v := s.rooms.Vault
	if id.AsStored() {
		_, err := v.Secret(ctx, *id.Login)
		return err
	}
	if id.Nobody() || id.Presumed {
		switch _, err := v.Get(ctx, host, vault.StoredToken, nil); {
		case err == nil, id.Kind == identity.Anonymous: // to be left alone is what was wished for
			return nil
		case id.Nobody():
			return unlessKept(err, "nobody is signed in for this registry, and no token is kept")
		}
	}
	_, err := v.Get(ctx, host, id, nil)
	if err == nil {
		return nil
	}
	if _, _, failed := v.Peek(host, id); failed != nil {
		return failed // which clients are told, too, as long as it is shared
	}
	if id.Login != nil {
		_, err = v.Secret(ctx, *id.Login)
		return err
	}
	return unlessKept(err, fmt.Sprintf("no token of %s is kept", id))
}

func unlessKept(err error, none string) error {
	if errors.Is(err, vault.ErrNone) {
		return errors.New(none)
	}
	return err
}
