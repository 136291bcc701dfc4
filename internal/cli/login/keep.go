package login

import (
	"context"
	"fmt"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// keep proves the sign-in to the registry, records it, and says who one is now.
func (a *attempt) keep(ctx context.Context, p proven) error {
	token, err := a.prove(ctx, p)
	if err != nil {
		return a.failed(p, fmt.Errorf("exchanging the token of %s: %w", p.Who(), err))
	}
	ctx, cancel := context.WithTimeout(ctx, desk.WriteTimeout)
	defer cancel()
	stored, err := a.rooms.Keep(ctx, p.Login, p.sealed)
	if err == nil && p.Kind == identity.Anonymous { // tokens that were stored before would go on being answered
		_, err = a.rooms.Vault.Erase(ctx, "", a.rooms.Covers(a.target))
	}
	if err != nil {
		return a.failed(p, fmt.Errorf("keeping the login: %w", err))
	}
	a.warm(ctx, p, stored, token)
	switch {
	case p.Kind == identity.Anonymous:
		fmt.Fprintf(a.Stdout, "%s: left alone; pulls are anonymous\n", a.target)
	case p.Kind == identity.RegistryUser:
		fmt.Fprintf(a.Stdout, "%s: signed in as %s\n", a.target, p.Who())
	case !token.Expires.IsZero():
		fmt.Fprintf(a.Stdout, "%s: signed in as %s; its token lives until %s, and is renewed by itself\n", a.target, p.Who(), token.Expires.Local().Format("15:04"))
	default:
		fmt.Fprintf(a.Stdout, "%s: signed in as %s; each registry is asked when it is needed\n", a.target, p.Who())
	}
	return nil
}

// prove has the registry swap the sign-in's token for its own. A pattern names no
// registry that could, and whom Entra doesn't know has proved it already.
func (a *attempt) prove(ctx context.Context, p proven) (secret.Token, error) {
	if a.target != a.host.String() || p.access.Value.IsZero() {
		return secret.Token{}, nil
	}
	defer a.Waiting("asking " + a.target + " for a token")()
	return a.rooms.Exchange.RefreshToken(ctx, a.host, p.access)
}

// warm keeps the token that the sign-in has earned, which saves the first get an
// exchange, provided that whoever would be chosen now is the one who earned it:
// somebody may have signed in to Azure CLI, or here, as another user meanwhile.
func (a *attempt) warm(ctx context.Context, p proven, stored identity.Login, token secret.Token) {
	earned := p.id
	if stored.Sealed() {
		earned, _ = a.rooms.Identities.As(a.host, stored)
	}
	now, err := a.rooms.Identities.For(a.host)
	if err == nil && now.Same(earned) && !now.Uncached && !token.Expires.IsZero() {
		_ = a.rooms.Vault.PutToken(ctx, a.host, now, token, "")
	}
}

// failed says who could not sign in.
func (a *attempt) failed(p proven, err error) error {
	return &credhelper.Error{Registry: a.target, Identity: p.Who(), Source: hint.Typed, Err: err}
}
