package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

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

// Erase deletes the login of a server or pattern ("" for none) with its access tokens, and
// the tokens and failure records of the servers that it covers, in every keyspace. It needs
// no key. What doesn't exist is not an error.
func (s *Session) Erase(
	ctx context.Context, server string, covers func(server string) bool,
) (erased []Entry, err error) {
	if s.Memory != nil {
		s.Memory.erase(covers)
	}
	if s.dir == nil {
		return nil, s.listError()
	}
	defer s.lockLogin(ctx, server)()
	e := erasure{session: s}
	failed := s.visit(func(space, name string) {
		isToken := path.Ext(name) == tokenSuffix || path.Ext(name) == failureSuffix
		if name == loginName(server) || isToken && s.concerns(space, name, covers) {
			e.remove(space, name)
		}
	})
	_ = s.visit(func(space, name string) {
		if path.Ext(name) == accessSuffix && e.erasedLoginOf(space, name) {
			e.remove(space, name)
		}
	})
	return e.erased, errors.Join(failed, e.err)
}

// erasedLoginOf reports whether a deleted login may have obtained an access token. Of two
// logins that look alike, both lose theirs.
func (e *erasure) erasedLoginOf(space, name string) bool {
	f, _ := e.session.dir.Read(space, name)
	return slices.ContainsFunc(e.erased, func(deleted Entry) bool {
		return !deleted.IsToken && deleted.Kind == f.Kind && deleted.ClientID == f.ClientID && deleted.User == f.User
	})
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
