package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
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
			if slices.Contains([]string{loginSuffix, tokenSuffix, failureSuffix}, path.Ext(name)) {
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

// Entries returns logins and tokens, also tokens that have ended, of every keyspace. It
// needs no key. A token that can't be read is left out: it is as good as absent.
func (s *Session) Entries() (entries []Entry, err error) {
	if s.dir == nil {
		return nil, s.listError()
	}
	err = s.visit(func(space, name string) {
		if e, ok := s.entry(space, name); ok && path.Ext(name) != failureSuffix {
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
		Login: f.Login, IsToken: path.Ext(name) == tokenSuffix, Backend: keyspace.Backend(space), Available: s.isUsable(space),
		Life: f.Life(), RegistryTenant: f.RegistryTenant, Err: err,
	}
	return e, err == nil || !e.IsToken && !errors.Is(err, fs.ErrNotExist)
}

// Peek returns what can be known without any key of the token that Token would look for:
// of several the one that Token would try first, else one that has ended, or whose key is
// not available here. failure is the last one since that token was issued, whether it is
// still shared or not; nil for none.
func (s *Session) Peek(host registry.Host, id identity.Identity) (best Entry, ok bool, failure *Failure) {
	if s.err != nil {
		return Entry{}, false, nil
	}
	key := newCacheKey(host, id)
	spaces, usable := s.keyspaces()
	for _, space := range spaces {
		e, found := s.entry(space, key.name)
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

// concerns reports whether a token or failure record is for a server that a login covers.
// The record of a failed sign-in is for every server.
func (s *Session) concerns(space, name string, covers func(server string) bool) bool {
	if path.Ext(name) == failureSuffix {
		f, _ := s.parseFailure(space, name)
		return f.Server == "" || covers(f.Server)
	}
	f, _ := s.dir.Read(space, name)
	return covers(f.Server)
}

// Erase deletes the login of a server or pattern ("" for none), and the tokens and
// failure records of the servers that it covers, in every keyspace. It needs no key. What
// doesn't exist is not an error.
func (s *Session) Erase(ctx context.Context, server string, covers func(server string) bool) (erased []Entry, err error) {
	if s.Memory != nil {
		s.Memory.erase(covers)
	}
	if s.dir == nil {
		return nil, s.listError()
	}
	defer s.lockLogin(ctx, server)()
	e := erasure{session: s}
	failed := s.visit(func(space, name string) {
		if name == loginName(server) || path.Ext(name) != loginSuffix && s.concerns(space, name, covers) {
			e.remove(space, name)
		}
	})
	return e.erased, errors.Join(failed, e.err)
}

// listError returns why the entries of a vault can't be listed; nil where there is none.
func (s *Session) listError() error {
	if info, err := os.Stat(s.Dir); err != nil || !info.IsDir() {
		return nil
	}
	return s.err
}

// An erasure collects what was deleted, and why other files were not.
type erasure struct {
	session *Session
	erased  []Entry // logins and tokens
	err     error
}

func (e *erasure) remove(space, name string) {
	entry, _ := e.session.entry(space, name)
	switch err := e.session.dir.Remove(space, name); {
	case err == nil && (path.Ext(name) == loginSuffix || path.Ext(name) == tokenSuffix):
		e.erased = append(e.erased, entry)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		e.err = errors.Join(e.err, fmt.Errorf("can't delete from %s: %w", e.session.Dir, safefile.Bare(err)))
	}
}

// ClearFailures deletes the failure records of the servers that a new login covers, and
// what is in memory for them: they say nothing about it.
func (s *Session) ClearFailures(covers func(server string) bool) {
	if s.Memory != nil {
		s.Memory.erase(covers)
	}
	_ = s.visit(func(space, name string) {
		if path.Ext(name) == failureSuffix && s.concerns(space, name, covers) {
			_ = s.dir.Remove(space, name)
		}
	})
}

// EraseAll deletes everything in every keyspace, even what this version can't read, and
// then the keys; keys are the backends whose key was deleted. Entries are deleted without
// their key. Where a backend can't be used now, its key stays: that is an error, and its
// empty keyspace stays as well, so that the next EraseAll knows of the key. A key that
// has sealed nothing here may be another vault's, and stays.
func (s *Session) EraseAll(ctx context.Context) (erased []Entry, keys []string, err error) {
	if s.dir == nil {
		return nil, nil, s.listError()
	}
	e := erasure{session: s}
	byBackend := map[string][]string{}
	spaces, _ := s.keyspaces()
	for _, space := range spaces {
		backend := keyspace.Backend(space)
		byBackend[backend] = append(byBackend[backend], space)
		names, err := s.allNames(space)
		e.err = errors.Join(e.err, err)
		for _, name := range names {
			if name != patternsDir {
				e.remove(space, name)
			}
		}
		_ = s.dir.Remove(space, patternsDir)
	}
	if e.err != nil {
		return e.erased, nil, e.err // what is still there must not lose its key
	}
	for _, backend := range slices.Sorted(maps.Keys(byBackend)) {
		deleted, failed := s.deleteKey(ctx, backend, byBackend[backend])
		if failed != nil {
			err = errors.Join(err, &fault.Error{
				Code: fault.KeyStays, Object: backend,
				Reason: "all logins were deleted, but not the encryption key: " + failed.Error(), Cause: failed,
			})
			continue
		}
		if deleted {
			keys = append(keys, backend)
		}
		for _, space := range byBackend[backend] {
			_ = s.dir.Remove(space, "")
		}
	}
	if err == nil {
		_ = s.dir.Remove("", keystore.ChoiceName)
	}
	return e.erased, keys, err
}

// deleteKey deletes a backend's key, if it is the one of these keyspaces.
func (s *Session) deleteKey(ctx context.Context, backend string, spaces []string) (deleted bool, err error) {
	if !s.isUsable(spaces[0]) {
		return false, fmt.Errorf("%s is not available in this session", keystore.Title(backend))
	}
	key, err := s.Keys.Key(ctx, backend)
	if err == nil && !slices.Contains(spaces, keyspace.Name(backend, key)) {
		return false, nil
	}
	if err == nil {
		err = s.Keys.Delete(ctx, backend, s.keyLocker(backend))
	}
	if errors.Is(err, keystore.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// maxSwept is how many files a sweep looks at: a vault may have thousands.
const maxSwept = 200

// sweepAfter is how long an entry stays after it has ended, for status to show.
const sweepAfter = 24 * time.Hour

// sweep deletes what ended long ago, and what neither this nor a later version can read,
// except logins: CI agents get tokens for a new identity in every job. Of each server but
// current, which has a new token, the last one stays: by that, list knows the server.
func (s *Session) sweep(space, current string) {
	type token struct {
		name    string
		expires time.Time
	}
	last := map[string]token{}
	names, _ := s.dir.Names(space)
	if len(names) > maxSwept {
		first := rand.IntN(len(names) - maxSwept + 1)
		names = names[first : first+maxSwept]
	}
	for _, name := range names {
		info, err := s.dir.Stat(space, name)
		if err != nil || name == patternsDir || strings.HasSuffix(name, loginSuffix) || s.Now().Sub(info.ModTime()) < sweepAfter {
			continue
		}
		if path.Ext(name) != failureSuffix { // no failure is shared for that long
			f, err := s.dir.Read(space, name)
			if fault.Is(err, fault.LoginNewer) || err == nil && s.Now().Sub(f.Expires) < sweepAfter {
				continue
			}
			if other := last[f.Server]; err == nil && f.Server != current && f.Expires.After(other.expires) {
				last[f.Server] = token{name, f.Expires}
				name = other.name
			}
		}
		if name != "" {
			_ = s.dir.Remove(space, name)
		}
	}
}
