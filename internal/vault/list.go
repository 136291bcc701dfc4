package vault

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// An Entry is what can be known of a login or token without any key.
type Entry struct {
	// Login is its header; the zero value where that can't be read.
	identity.Login
	// IsToken says that it is a token, not a login.
	IsToken bool
	// Backend is where its key is; Available says that this backend is used here. Whether
	// the key is there, only the backend knows.
	Backend   string
	Available bool
	// Life is a token's life, without the token.
	Life secret.Token
	// RegistryTenant is the tenant that a token names.
	RegistryTenant string
	// Err says why the header can't be read; nil if it can.
	Err error
}

// visit calls f with all files of one of the vault's kinds, in every keyspace. The error
// says why some could not be listed.
func (s *Session) visit(f func(space, name string)) (failed error) {
	s.spaces = nil
	spaces, _ := s.keyspaces()
	for _, space := range spaces {
		names, err := s.allNames(space)
		failed = cmp.Or(failed, err)
		for _, name := range names {
			if slices.Contains([]string{loginSuffix, tokenSuffix, accessSuffix, failureSuffix}, path.Ext(name)) {
				f(space, name)
			}
		}
	}
	return failed
}

// allNames returns the names of all files of a keyspace.
func (s *Session) allNames(space string) ([]string, error) {
	names, err := s.dir.Names(space)
	patterns, failed := s.dir.Names(path.Join(space, patternsDir))
	for _, name := range patterns {
		names = append(names, path.Join(patternsDir, name))
	}
	return names, cmp.Or(err, failed)
}

// Entries returns logins and ACR tokens, also tokens that have ended, of every keyspace. It
// needs no key. A token that can't be read is left out: it is as good as absent.
func (s *Session) Entries() (entries []Entry, err error) {
	if s.dir == nil {
		return nil, s.listError()
	}
	err = s.visit(func(space, name string) {
		if path.Ext(name) != loginSuffix && path.Ext(name) != tokenSuffix {
			return
		}
		if e, ok := s.entry(space, name); ok {
			entries = append(entries, e)
		}
	})
	return entries, err
}

// FailedServers returns the servers for which getting a token failed within the last day.
func (s *Session) FailedServers() (servers []string) {
	if s.dir == nil {
		return nil
	}
	_ = s.visit(func(space, name string) { // what can't be listed is unknown
		if path.Ext(name) != failureSuffix {
			return
		}
		if f, err := s.parseFailure(space, name); err == nil && f.Server != "" && s.Now().Sub(f.Since) < sweepAfter {
			servers = append(servers, f.Server)
		}
	})
	return servers
}

func (s *Session) entry(space, name string) (e Entry, ok bool) {
	read := s.dir.Read
	if path.Ext(name) == loginSuffix {
		read = s.readLogin
	}
	f, err := read(space, name)
	if err != nil {
		err = cannotOpenLogin(err)
	}
	e = Entry{
		Login: f.Login, IsToken: path.Ext(name) == tokenSuffix, Backend: keyspace.Backend(space),
		Available: s.isUsable(space),
		Life:      f.Life(), RegistryTenant: f.RegistryTenant, Err: err,
	}
	return e, err == nil || !e.IsToken && !errors.Is(err, fs.ErrNotExist)
}

// Peek returns what is known, without any key, of the token that Token would look for. It
// prefers the one that Token would try first, then an expired one or one whose key isn't
// available here. failure is the last one since that token was issued, whether it is
// still shared or not; nil for none.
func (s *Session) Peek(host registry.Host, id identity.Identity) (best Entry, ok bool, failure *Failure) {
	if s.err != nil {
		return Entry{}, false, nil
	}
	key := newCacheKey(host, id)
	spaces, usable := s.keyspaces()
	for _, space := range spaces {
		e, found := s.entry(space, key.file())
		if found && (!ok || e.Available == best.Available && e.Life.Expires.After(best.Life.Expires)) {
			best, ok = e, true
		}
	}
	return best, ok, s.lastFailure(spaces[:usable], key, best.Life.Issued)
}

// RegistryTenant returns the tenant, a GUID, that a token of the server names; "" for
// unknown. A secret is sent to that tenant, so only a token that opens counts.
func (s *Session) RegistryTenant(ctx context.Context, server string) (tenant string) {
	if s.err != nil {
		return ""
	}
	_ = s.visit(func(space, name string) { // what can't be listed is unknown
		f, err := s.dir.Read(space, name)
		if err != nil || path.Ext(name) != tokenSuffix || f.Server != server || !text.IsGUID(f.RegistryTenant) {
			return
		}
		if _, err := s.open(ctx, []keyspace.File{f}); err == nil {
			tenant = f.RegistryTenant
		}
	})
	return tenant
}

// BackendOf returns where the key of a login that Login returned is, and whether that
// backend is used here.
func (s *Session) BackendOf(l identity.Login) (backend string, available bool) {
	return keyspace.Backend(l.Keyspace), s.isUsable(l.Keyspace)
}
