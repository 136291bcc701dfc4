package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/managedidentity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// operationTimeout keeps the promise that a get ends within 30 seconds, with some time
// left for what can't be interrupted.
const operationTimeout = 28 * time.Second

// A Credential is what a client gets: a user name and a secret.
type Credential struct {
	User   string
	Secret secret.String
	// Expires is when it ends; the zero time for unknown or never.
	Expires time.Time
}

// Get returns the credential for a server, in any spelling that clients send. The error
// is a *NotFoundError where the client should go on anonymously, and an *Error where
// something is wrong. With refresh the cached token and any recent failure are ignored,
// and the identity signs in again; credentials that can't be renewed (a registry user's,
// a stored ACR token) are returned unchanged. It ends within 30 seconds even if ctx has
// no deadline.
func (a *App) Get(ctx context.Context, server string, refresh bool) (c Credential, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	host, err := a.Clouds.ParseHost(server)
	isOther := errors.Is(err, registry.ErrNotACR)
	if err != nil && !isOther {
		return Credential{}, &NotFoundError{Reason: err.Error()}
	}
	for range maxAttempts {
		if isOther {
			c, err = a.getOther(ctx, s, server)
		} else {
			c, err = a.getRegistry(ctx, s, host, refresh)
		}
		if err == nil || !vault.IsChanged(err) {
			break
		}
	}
	return c, err
}

// maxAttempts limits how often a get starts again because the stored login that it
// selected was replaced or deleted meanwhile.
const maxAttempts = 10

// getRegistry returns the credential for an Azure container registry.
func (a *App) getRegistry(ctx context.Context, s *vault.Session, host registry.Host, refresh bool) (Credential, error) {
	id, err := a.Selector(s).Select(host)
	if err != nil {
		return Credential{}, &Error{host.String(), id, err}
	}
	a.Log.Debug("identity selected", "registry", host, "identity", id, "source", id.Source)
	if id.Login != nil {
		if err := s.Verify(ctx, host, *id.Login); err != nil {
			return Credential{}, &Error{host.String(), id, err}
		}
	}
	noToken := vault.ErrNoToken
	if id.IsAnonymous() || id.Detected { // a token that was stored is meant to be used
		var stored secret.Token
		if stored, noToken = s.CachedToken(ctx, host, vault.StoredToken); noToken == nil {
			return Credential{registry.NullGUID, stored.Value, stored.Expires}, nil
		}
	}
	switch {
	case id.Kind == identity.Anonymous:
		return Credential{}, &NotFoundError{Registry: host.String()}
	case id.Kind == identity.None:
		return Credential{}, notSignedIn(host, id.Cause, noToken)
	case id.Login != nil && id.IsStatic():
		value, err := s.Secret(ctx, *id.Login)
		if err != nil {
			return Credential{}, &Error{host.String(), id, err}
		}
		return Credential{User: id.Login.UserName(), Secret: value}, nil
	}
	token, err := s.Token(ctx, host, id, refresh, func(ctx context.Context) (secret.Token, error) {
		return a.fetch(ctx, s, host, id, refresh)
	})
	switch {
	case err == nil:
		return Credential{registry.NullGUID, token.Value, token.Expires}, nil
	// Without an identity, or with several, an Azure VM is a computer like any other.
	case id.Detected && managedidentity.HasNone(err):
		return Credential{}, notSignedIn(host, errors.New("this computer has no managed identity, or several"), noToken)
	}
	return Credential{}, &Error{host.String(), id, err}
}

// fetch signs in, unless the identity just has, and exchanges the token: the slow part,
// which one of the waiting processes does for all.
func (a *App) fetch(
	ctx context.Context, s *vault.Session, host registry.Host, id identity.Identity, refresh bool,
) (secret.Token, error) {
	registryClient := a.Exchange
	if !id.Detected { // a computer may have no identity
		client, connection := a.Exchange.Connect(ctx, host) // while Entra is asked
		defer connection.Close()
		registryClient = client
	}
	began, since := a.Now(), s.LastRefusal(host, id) // the registry has refused older access tokens
	if refresh {
		s.DropAccessToken(host, id)
		since = began
	}
	access, err := a.accessToken(ctx, s, host, id, since)
	if err != nil {
		return secret.Token{}, err
	}
	token, err := registryClient.Exchange(ctx, host, access)
	if fault.Is(err, fault.RegistryUnauthorized) && access.Issued.Before(began) { // Entra may have revoked it
		if access, err = a.accessToken(ctx, s, host, id, began); err != nil {
			return secret.Token{}, err
		}
		token, err = registryClient.Exchange(ctx, host, access)
	}
	switch {
	case err != nil: // the access token stays cached: it may be good for other registries
		return secret.Token{}, fmt.Errorf("exchanging the token of %s: %w", id.WithTenant(), err)
	case !a.mayCache(s, host, id):
		token.Expires = time.Time{} // the vault stores no such token
	}
	return token, nil
}

// accessToken returns an Entra access token: a cached one that was issued since a time, or
// that of a new sign-in.
func (a *App) accessToken(
	ctx context.Context, s *vault.Session, host registry.Host, id identity.Identity, since time.Time,
) (secret.Token, error) {
	isCached := true
	access, err := s.AccessToken(ctx, host, id, since, func(ctx context.Context) (secret.Token, error) {
		isCached = false
		token, err := a.SignIn(ctx, s, host, id)
		switch {
		case err != nil && !vault.CannotOpen(err):
			err = fmt.Errorf("signing in as %s: %w", id, err)
		case err == nil && !a.mayCache(s, host, id):
			token.Expires = time.Time{} // the vault stores no such token
		}
		return token, err
	})
	if err == nil && isCached && id.Login != nil && id.Login.HasSecret() {
		_, err = s.Secret(ctx, *id.Login) // another program could have written the login's file
	}
	return access, err
}

// mayCache reports whether a new token may be stored: not if this identity's tokens never
// are, or if the user has meanwhile logged out or signed in to Azure CLI as another user.
func (a *App) mayCache(s *vault.Session, host registry.Host, id identity.Identity) bool {
	if id.Uncached || id.InMemory && s.Memory == nil {
		return false
	}
	now, err := a.Selector(s).Select(host)
	return err == nil && now.Equal(id) && now.ProfileTime.Equal(id.ProfileTime)
}

// SignIn gets an Entra access token. Only here is a stored login's secret opened; a
// user's changes when it is used, and is stored again.
func (a *App) SignIn(
	ctx context.Context, s *vault.Session, host registry.Host, id identity.Identity,
) (token secret.Token, err error) {
	switch {
	case id.Kind == identity.User:
		err = s.Update(ctx, *id.Login, func(before secret.String) (after secret.String, err error) {
			token, after, err = a.Entra.Users().Silent(ctx, id, host.Cloud(), before)
			return after, err
		})
		return token, err
	case id.Login != nil && id.Login.HasSecret():
		value, err := s.Secret(ctx, *id.Login)
		if err != nil {
			return secret.Token{}, err
		}
		id = id.WithSecret(value)
	case id.Login != nil && id.Source.Kind == identity.FromLogin:
		if err := s.Verify(ctx, host, *id.Login); err != nil {
			return secret.Token{}, err
		}
	}
	return a.Entra.AccessToken(ctx, id, host.Cloud())
}
