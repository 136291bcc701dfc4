package vault

import (
	"context"
	"slices"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// Verify returns an error unless the vault's key has sealed the login; otherwise a program
// without the key could choose the identity. (A secret is verified when it is opened.) If
// the key can't be reached, a login that names no tenant, application or file is accepted,
// because it can't direct a credential anywhere. If its key doesn't exist, it is refused if
// another login for the registry can be opened: any program can make up a keyspace.
func (s *Session) Verify(ctx context.Context, host registry.Host, l identity.Login) error {
	if l.HasSecret() {
		return nil
	}
	_, _, err := s.openLogin(ctx, l)
	isUnreachable := fault.Is(err, fault.LoginKeyring, fault.LoginElsewhere, fault.LoginKeyGone, fault.LoginNamespace)
	isMadeUp := fault.Is(err, fault.LoginKeyGone) && s.opensLogin(ctx, host)
	if isUnreachable && l.NamesNothing() && !isMadeUp {
		return nil
	}
	return err
}

// opensLogin reports whether there is a login for a registry that can be opened.
func (s *Session) opensLogin(ctx context.Context, host registry.Host) bool {
	patterns, _ := s.Patterns()
	servers := slices.DeleteFunc(patterns, func(p string) bool { return !registry.Matches(p, host) })
	spaces, usable := s.keyspaces()
	for _, server := range append(servers, host.String()) {
		for _, space := range spaces[:usable] {
			f, err := s.readLogin(space, loginName(server))
			if err == nil {
				_, err = s.open(ctx, []keyspace.File{f})
			}
			if err == nil {
				return true
			}
		}
	}
	return false
}
