package vault

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

const (
	loginSuffix = ".login"
	patternsDir = "patterns" // has the logins for patterns
)

// ErrPattern is among the causes where the login for a pattern can't be read, so that the
// pattern isn't known.
var ErrPattern = errors.New("a pattern's login")

// errChanged says that a login was replaced or deleted since Login returned it.
var errChanged = &fault.Error{Code: fault.LoginChanged, Reason: "another process is changing it"}

// IsChanged reports whether an operation failed because its login was replaced or deleted
// meanwhile: call Login again.
func IsChanged(err error) bool { return fault.Is(err, fault.LoginChanged) }

// cannotOpenLogin says that a login can't be opened, with the code of the reason.
func cannotOpenLogin(err error) error {
	return fault.Because("can't open the stored login", fault.LoginKeyring, err)
}

func cannotOpenPattern(err error) error {
	e := fault.Because("can't open a login that is stored for a pattern", fault.LoginKeyring, err)
	e.Cause = errors.Join(ErrPattern, err)
	return e
}

// loginName is the name of a login's file. The server is hashed, because as a credsStore
// the vault has names with slashes and of any length. Patterns have a directory
// of their own, so that every get finds them without listing the rest.
func loginName(server string) string {
	if strings.Contains(server, "*") {
		return patternsDir + "/" + hashName("login", server) + loginSuffix
	}
	return hashName("login", server) + loginSuffix
}

// readLogin reads a login, without any key. A file counts only for the server that its
// name was made of: a copy under another name would return another server's secret.
func (s *Session) readLogin(space, name string) (keyspace.File, error) {
	f, err := s.dir.Read(space, name)
	if err == nil && loginName(f.Server) != name {
		return keyspace.File{}, fault.New(fault.LoginDamaged, "its file contains the login of another server")
	}
	return f, err
}

// Login returns the login that is stored for a server or pattern, without any key; nil
// for none. Of several in different keyspaces it is the newest of those whose backend is
// used here. A login that can't be read is an error, never absent.
func (s *Session) Login(server string) (*identity.Login, error) {
	if s.err != nil {
		return nil, s.storageError(server)
	}
	s.spaces = nil // a get begins here, and again when the login has changed
	spaces, usable := s.keyspaces()
	if s.err != nil {
		return nil, cannotOpenLogin(s.err)
	}
	var best keyspace.File
	for i, space := range spaces {
		if i == usable && best.Keyspace != "" {
			break // what is in a keyspace that is not used here doesn't count any more
		}
		f, err := s.readLogin(space, loginName(server))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, cannotOpenLogin(err)
		case best.Keyspace == "" || f.Issued.After(best.Issued):
			best = f
		}
	}
	if best.Keyspace == "" {
		return nil, nil
	}
	best.Login.Keyspace = best.Keyspace
	return &best.Login, nil
}

// storageError decides whether a vault that is not used is an error for this server. If
// the vault can't have a login for it (no directory, or another user's), there is none.
// If the directory is ours but its permissions are unsafe, only a server with a file in
// it fails: ignoring that file would silently select another identity.
func (s *Session) storageError(server string) error {
	if !s.isOwn() {
		return nil
	}
	spaces, _ := s.keyspaces()
	if fault.Is(s.err, fault.LoginVault) && !slices.ContainsFunc(spaces, func(space string) bool {
		_, err := s.dir.Stat(space, loginName(server))
		return err == nil
	}) {
		return nil
	}
	return cannotOpenLogin(s.err)
}

// isOwn reports whether a vault that is not used may have this user's logins.
func (s *Session) isOwn() bool {
	info, err := os.Stat(s.Dir)
	return err == nil && info.IsDir() && (!errors.Is(s.err, fs.ErrPermission) || safefile.IsOwn(info))
}

// Patterns returns the patterns that logins are stored for, such as *.azurecr.io, without
// any key. One that can't be read is an error, as in Login.
func (s *Session) Patterns() (patterns []string, err error) {
	if s.err != nil && !s.isOwn() {
		return nil, nil
	}
	spaces, usable := s.keyspaces()
	for i, space := range spaces {
		names, err := s.dir.Names(path.Join(space, patternsDir))
		if err != nil && i < usable {
			return nil, cannotOpenPattern(err)
		}
		for _, name := range names {
			name = path.Join(patternsDir, name)
			if path.Ext(name) != loginSuffix {
				continue // what is being written
			}
			if s.err != nil { // which pattern it is for can't be believed
				return nil, cannotOpenPattern(s.err)
			}
			f, err := s.readLogin(space, name)
			if err != nil && i < usable && !errors.Is(err, fs.ErrNotExist) {
				return nil, cannotOpenPattern(err)
			}
			if err == nil && !slices.Contains(patterns, f.Server) {
				patterns = append(patterns, f.Server)
			}
		}
	}
	return patterns, nil
}

// Secret opens the secret of a login that Login returned: one keyring read. See
// IsChanged.
func (s *Session) Secret(ctx context.Context, l identity.Login) (secret.String, error) {
	_, value, err := s.openLogin(ctx, l)
	return value, err
}

// openLogin opens the file of a login, and of no other that replaced it.
func (s *Session) openLogin(ctx context.Context, l identity.Login) (seal sealer, value secret.String, err error) {
	f, err := s.current(l)
	if err == nil {
		seal.keyspace = l.Keyspace
		seal.key, err = s.key(ctx, l.Keyspace)
	}
	if err == nil {
		value, err = f.Unseal(seal.key)
	}
	if err != nil {
		return sealer{}, secret.String{}, cannotOpenLogin(err)
	}
	return seal, value, nil
}

// current returns the file of a login that Login returned, unless the login was replaced
// or deleted since.
func (s *Session) current(l identity.Login) (keyspace.File, error) {
	if s.err != nil || s.dir == nil {
		return keyspace.File{}, cmp.Or(s.err, error(errChanged))
	}
	f, err := s.readLogin(l.Keyspace, loginName(l.Server))
	f.Login.Keyspace = l.Keyspace
	if errors.Is(err, fs.ErrNotExist) || err == nil && f.Login != l {
		err = errChanged
	}
	return f, err
}

// PutLogin seals a login, and returns it as Login will find it. Its fingerprint is new,
// so tokens of the login that it replaces are not found any more.
func (s *Session) PutLogin(
	ctx context.Context, l identity.Login, value secret.String,
) (stored identity.Login, err error) {
	seal, err := s.sealer(ctx, true)
	if err != nil {
		return identity.Login{}, err
	}
	defer s.lockLogin(ctx, l.Server)()
	l.Fingerprint, l.Keyspace = rand.Text(), seal.keyspace
	return l, s.writeLogin(seal, l, value)
}

// SetTenant completes a login with its tenant, unless the login has changed.
func (s *Session) SetTenant(ctx context.Context, l identity.Login, tenant string) error {
	defer s.lockLogin(ctx, l.Server)()
	seal, value, err := s.openLogin(ctx, l)
	if err != nil {
		return err
	}
	completed := l
	completed.Tenant = tenant
	return s.replaceLogin(seal, l, completed, value)
}

// Update calls use with the secret of a login, and stores the secret that it returns,
// even along with an error. No other process uses or changes the login meanwhile, so that
// of two processes which renew a user's tokens neither overwrites what the other one got.
// A secret that can't be stored is not an error: use has what the caller wanted.
func (s *Session) Update(
	ctx context.Context, l identity.Login, use func(secret.String) (secret.String, error),
) error {
	defer s.lockLogin(ctx, l.Server)()
	seal, before, err := s.openLogin(ctx, l)
	if err != nil {
		return err
	}
	after, err := use(before)
	if after != before && !after.IsZero() {
		if failed := s.replaceLogin(seal, l, l, after); failed != nil {
			s.Log.Debug("the renewed login could not be stored", "error", failed)
		}
	}
	return err
}

// replaceLogin writes a login, if it is still the same: a process that stored another
// one, or deleted it, did so later than we read it, and may have had to do without the
// lock.
func (s *Session) replaceLogin(seal sealer, before, after identity.Login, value secret.String) error {
	if _, err := s.current(before); err != nil {
		return err
	}
	return s.writeLogin(seal, after, value)
}

// writeLogin writes a login that is newer than every other of its server, even if the
// clock was ahead when that one was stored.
func (s *Session) writeLogin(seal sealer, l identity.Login, value secret.String) error {
	if err := s.create(); err != nil {
		return err
	}
	issued := s.Now()
	s.spaces = nil
	spaces, _ := s.keyspaces()
	for _, space := range spaces {
		if f, err := s.dir.Read(space, loginName(l.Server)); err == nil && !f.Issued.Before(issued) {
			issued = f.Issued.Add(1)
		}
	}
	name := loginName(l.Server)
	content, err := keyspace.Seal(keyspace.Header{Login: l, Issued: issued}, name, seal.key, []byte(value.Reveal()))
	if err != nil {
		return err
	}
	s.sweep(seal.keyspace, "")
	return s.dir.Write(seal.keyspace, name, content, true)
}

// lockLogin keeps others from changing a server's login until the function that it
// returns is called. Where there is no lock, it goes on without.
func (s *Session) lockLogin(ctx context.Context, server string) (unlock func()) {
	unlock, err := s.lock(ctx, "login-"+path.Base(loginName(server))[:lockPrefix], nil)
	if err != nil {
		s.Log.Debug("continuing without the lock", "error", err)
		return func() {}
	}
	return unlock
}
