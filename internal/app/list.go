package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// List returns the registries that Get would now return a credential for, as far as that is
// known offline, with their user names: those of stored logins, the config file, tokens
// (including expired ones) and the files of Docker and Podman. Some clients never get what isn't
// listed; others drop all credentials when one listed get fails. It needs neither network
// nor keyring, unless the delegate does, whose servers are added.
func (a *App) List(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, operationTimeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	if err := a.Config.Err(); err != nil { // other registries' logins are still there
		a.Log.Warn(err.Error())
	}
	entries, err := s.Entries()
	if err != nil {
		return nil, fmt.Errorf("can't list the stored logins: %w", err)
	}
	users := map[string]string{}
	for _, e := range entries {
		_, err := a.Clouds.ParseHost(e.Server)
		if err != nil && e.Err == nil && !e.IsToken && e.Available && !strings.Contains(e.Server, "*") {
			users[e.Server] = e.UserName()
		}
	}
	for _, host := range a.listable(entries) {
		if user := a.userOf(s, host); user != "" {
			users[host.String()] = user
		}
	}
	a.listDelegated(ctx, users)
	return users, nil
}

// listable returns the Azure registries that anything is known of.
func (a *App) listable(entries []vault.Entry) (hosts []registry.Host) {
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	names := append(a.Config.Hosts(), paths.Registries(a.Clouds)...)
	for _, e := range entries {
		names = append(names, e.Server)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if host, err := a.Clouds.ParseHost(name); err == nil {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// Lists reports whether List names a registry, if Get returns a credential for it.
func (a *App) Lists(host registry.Host) bool {
	s := a.Vault.Open()
	defer s.Close()
	entries, _ := s.Entries()
	return slices.ContainsFunc(a.listable(entries), func(h registry.Host) bool { return h.String() == host.String() })
}

// UserOf returns the user name of the credential that Get would return for a registry, as
// far as that is known offline; "" where it would return none.
func (a *App) UserOf(host registry.Host) string {
	s := a.Vault.Open()
	defer s.Close()
	return a.userOf(s, host)
}

func (a *App) userOf(s *vault.Session, host registry.Host) string {
	id, err := a.Selector(s).Select(host)
	if err != nil {
		return ""
	}
	if id.IsAnonymous() || id.Detected { // a token that was stored is meant to be used
		if stored, ok, _ := s.Peek(host, vault.StoredToken); ok && stored.Available && stored.Life.IsValid(a.Now()) {
			return registry.NullGUID
		}
	}
	if id.Login != nil && id.Login.HasSecret() {
		if _, available := s.BackendOf(*id.Login); !available {
			return ""
		}
	}
	cached, hadToken, failure := s.Peek(host, id)
	isValid := hadToken && cached.Available && cached.Life.IsValid(a.Now())
	switch {
	case id.IsAnonymous(), id.Detected && !hadToken, failure != nil && !isValid:
		return ""
	case id.IsStatic() && id.Login != nil:
		return id.Login.UserName()
	}
	return registry.NullGUID
}

// listDelegated adds the delegate's logins of other registries. If the delegate fails,
// nothing else is lost.
func (a *App) listDelegated(ctx context.Context, users map[string]string) {
	d, _ := a.Delegate()
	if d == nil {
		return // List has warned of a config file that can't be read
	}
	logins, err := d.List(ctx)
	if err != nil {
		a.Log.Warn("other registries' logins are not listed: " + err.Error())
		return
	}
	for server, user := range logins {
		// No get returns its logins for Azure registries.
		_, known := users[server]
		if _, err := a.Clouds.ParseHost(server); !known && errors.Is(err, registry.ErrNotACR) {
			users[server] = user
		}
	}
}
