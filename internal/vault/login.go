package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

const (
	loginSuffix   = ".login"
	patternSuffix = ".pattern" + loginSuffix
)

// Login finds the login that was stored for a server, without any key; nil for
// none. Of several in different compartments it takes the newest of those whose
// keyring can be reached from here. One that can't be read is an error, never
// absent.
func (v *Vault) Login(server string) (*identity.Login, error) {
	root, err := v.open()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, v.unlessNone(server, err)
	}
	defer root.Close()
	found, unreadable := v.logins(root, server)
	if unreadable != nil || len(found) == 0 {
		return nil, unreadable
	}
	login := found[0].Login
	login.Compartment = found[0].compartment
	return &login, nil
}

// unlessNone turns the vault's own trouble into an error only where it matters.
// A vault that isn't ours to enter holds nothing for us, and one that is open to
// others is still looked into by name; otherwise there may be a login, and to be
// somebody else than it says would be wrong.
func (v *Vault) unlessNone(server string, trouble error) error {
	info, err := os.Stat(v.Dir)
	none := err != nil || !info.IsDir() || errors.Is(trouble, fs.ErrPermission) && !owner.Mine(info)
	if errors.Is(trouble, errUntrusted) {
		compartments, err := os.ReadDir(v.Dir)
		none = err == nil && !slices.ContainsFunc(compartments, func(c fs.DirEntry) bool {
			_, err := os.Lstat(filepath.Join(v.Dir, c.Name(), loginName(server)))
			return err == nil
		})
	}
	if none {
		v.Log.Debug("working without a vault", "why", trouble)
		return nil
	}
	return &LoginError{Server: server, Why: trouble}
}

// logins lists the logins of a server, the one to use first. An unreadable one
// counts unless it lies with a keyring that can't be reached while a good one
// doesn't.
func (v *Vault) logins(root *os.Root, server string) (found []placed, unreadable error) {
	usable := v.Keys.Homes()
	here := func(compartment string) bool { return slices.Contains(usable, sealed.HomeOf(compartment)) }
	for _, c := range v.compartments(root) {
		f, err := sealed.Read(root, path.Join(c, loginName(server)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil:
			found = append(found, placed{f, c})
		case here(c) || len(found) == 0:
			unreadable = &LoginError{Server: server, Why: err}
		}
	}
	slices.SortStableFunc(found, func(a, b placed) int {
		if here(a.compartment) != here(b.compartment) {
			if here(a.compartment) {
				return -1
			}
			return 1
		}
		return b.Issued.Compare(a.Issued)
	})
	return found, unreadable
}

// Secret opens the secret of a login that Login found: one keyring read.
// ErrChanged means to call Login again.
func (v *Vault) Secret(ctx context.Context, l identity.Login) (secret.String, error) {
	_, plain, err := v.openLogin(ctx, l)
	if err != nil {
		return secret.String{}, &LoginError{Server: l.Server, Why: err}
	}
	return secret.New(string(plain)), nil
}

// openLogin opens the file of a login, and of no other that took its place.
func (v *Vault) openLogin(ctx context.Context, l identity.Login) (s sealer, plain []byte, err error) {
	root, err := v.open()
	if err != nil {
		return sealer{}, nil, err
	}
	defer root.Close()
	f, err := sealed.Read(root, path.Join(l.Compartment, loginName(l.Server)))
	if errors.Is(err, fs.ErrNotExist) || err == nil && f.Fingerprint != l.Fingerprint {
		return sealer{}, nil, ErrChanged
	}
	if err != nil {
		return sealer{}, nil, err
	}
	home := sealed.HomeOf(l.Compartment)
	if !slices.Contains(v.Keys.Homes(), home) {
		return sealer{}, nil, fmt.Errorf("its keyring (%s) %w", home, errElsewhere)
	}
	key, err := v.Keys.Key(ctx, home)
	if err != nil {
		return sealer{}, nil, err
	}
	if sealed.Compartment(home, key) != l.Compartment {
		return sealer{}, nil, fmt.Errorf("its keyring (%s) %w", home, errOtherKey)
	}
	plain, err = f.Unseal(key)
	return sealer{home, key}, plain, err
}

// Update lets change see the secret of a login that Login found, and keeps what it
// makes of it, whether it succeeds or not. Nobody else uses or changes the login
// meanwhile, so that of two processes which renew a person's tokens neither
// overwrites what the other one got. Where what was made can't be kept, that is
// no error: what it earned is worth more.
func (v *Vault) Update(ctx context.Context, l identity.Login, change func(secret.String) (secret.String, error)) error {
	defer v.changing(ctx, l.Server)()
	s, plain, err := v.openLogin(ctx, l)
	if err != nil {
		return &LoginError{Server: l.Server, Why: err}
	}
	before := secret.New(string(plain))
	after, err := change(before)
	if after != before && !after.IsZero() {
		if failed := v.replaceLogin(s, l, l, []byte(after.Reveal())); failed != nil {
			v.Log.Debug("the login's renewal could not be kept", "why", failed)
		}
	}
	return err
}

// Patterns lists the patterns that logins are stored for, such as *.azurecr.io,
// without any key. One that can't be read is an error, as in Login.
func (v *Vault) Patterns() (patterns []string, err error) {
	root, err := v.open()
	if err != nil {
		return nil, nil // Login, which is asked first, has said what there is to say
	}
	defer root.Close()
	names, _ := fs.Glob(root.FS(), "*-*/*"+patternSuffix)
	for _, name := range names {
		f, err := sealed.Read(root, name)
		if err != nil && slices.Contains(v.Keys.Homes(), sealed.HomeOf(path.Dir(name))) {
			return nil, &LoginError{Server: SomePattern, Why: err}
		}
		if err == nil && !slices.Contains(patterns, f.Server) {
			patterns = append(patterns, f.Server)
		}
	}
	return patterns, nil
}

// PutLogin seals a login, and returns it as Login will find it. It makes the
// login's fingerprint, so that whatever was earned before is not found again.
func (v *Vault) PutLogin(ctx context.Context, l identity.Login, value secret.String) (stored identity.Login, err error) {
	s, err := v.sealer(ctx)
	if err != nil {
		return identity.Login{}, err
	}
	l.Fingerprint, l.Compartment = rand.Text(), s.compartment()
	defer v.changing(ctx, l.Server)()
	return l, v.putLogin(s, l, []byte(value.Reveal()))
}

// Ready says why no login could be kept; nil if one could. It may make the key.
func (v *Vault) Ready(ctx context.Context) error {
	_, err := v.sealer(ctx)
	return err
}

// Home says in which home the key would lie by which a login is kept, or why none could
// be. It makes nothing.
func (v *Vault) Home(ctx context.Context) (home string, err error) {
	if err := v.Usable(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	failed := ErrNoHome
	for _, home := range v.Keys.Homes() {
		_, err := v.Keys.Key(ctx, home)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return home, nil
		}
		failed = fmt.Errorf("%w: %w", ErrNoHome, err)
	}
	return "", failed
}

// LearnTenant completes a login with its tenant, unless it has changed since.
func (v *Vault) LearnTenant(ctx context.Context, l identity.Login, tenant string) error {
	defer v.changing(ctx, l.Server)()
	s, plain, err := v.openLogin(ctx, l)
	if err != nil {
		return err
	}
	completed := l
	completed.Tenant = tenant
	return v.replaceLogin(s, l, completed, plain)
}

// replaceLogin writes a login in place of itself, provided that it is still the
// same: whoever stored another one, or erased it, did so later than we read it, and
// may have had to do without the lock.
func (v *Vault) replaceLogin(s sealer, before, after identity.Login, plain []byte) error {
	root, err := v.open()
	if err != nil {
		return err
	}
	f, err := sealed.Read(root, path.Join(before.Compartment, loginName(before.Server)))
	root.Close()
	if err != nil || f.Fingerprint != before.Fingerprint {
		return ErrChanged
	}
	return v.putLogin(s, after, plain)
}

// putLogin writes a login that is newer than every other of its server, even if
// the clock was ahead when that one was stored.
func (v *Vault) putLogin(s sealer, l identity.Login, plain []byte) error {
	root, err := v.create()
	if err != nil {
		return err
	}
	defer root.Close()
	issued := v.Now()
	found, _ := v.logins(root, l.Server)
	for _, f := range found {
		if !f.Issued.Before(issued) {
			issued = f.Issued.Add(1)
		}
	}
	name := loginName(l.Server)
	content, err := sealed.Seal(sealed.Header{Login: l, Issued: issued}, name, s.key, plain)
	if err != nil {
		return err
	}
	if len(content) > sealed.MaxFile {
		return fmt.Errorf("a secret of %d bytes is too long to be kept", len(plain))
	}
	v.sweep(root, s.compartment())
	return sealed.Write(root, s.compartment(), name, content, true)
}

// changing keeps others from changing a server's login until the function that
// it returns is called. Where there is no lock to be had, one goes on without.
func (v *Vault) changing(ctx context.Context, server string) (done func()) {
	unlock, err := v.lock(ctx, "login-"+lockName(loginName(server)), nil)
	if err != nil {
		v.Log.Debug("going on without the lock", "why", err)
		return func() {}
	}
	return unlock
}

// loginName is the name of a login's file. The server is hashed, because as a
// credsStore the vault holds names with slashes and of any length. Patterns have a
// suffix of their own, so that every get can find them without reading the rest.
func loginName(server string) string {
	if strings.Contains(server, "*") {
		return hashName("login", server) + patternSuffix
	}
	return hashName("login", server) + loginSuffix
}
