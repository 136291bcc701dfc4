package wiring

import (
	"context"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// SignIn gets an Entra token. What a login has sealed is opened only here, and a
// person's is kept again as it comes back.
func (r *Rooms) SignIn(ctx context.Context, host registry.Host, id identity.Identity) (access secret.Token, err error) {
	if id.Kind == identity.User {
		err = r.Vault.Update(ctx, *id.Login, func(memory secret.String) (secret.String, error) {
			access, memory, err = r.Entra.Person().Silent(ctx, id, host.Cloud(), memory)
			return memory, err
		})
		return access, err
	}
	if id.Login != nil {
		s, err := r.Vault.Secret(ctx, *id.Login)
		if err != nil {
			return secret.Token{}, err
		}
		id = id.WithSecret(s)
	}
	return r.Entra.AccessToken(ctx, id, host.Cloud())
}
