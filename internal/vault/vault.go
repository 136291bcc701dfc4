// Package vault stores what may be stored on disk: ACR tokens, Entra access tokens, logins
// and records of recent failures. Every secret is one small file, sealed with AES-256-GCM by
// a key that is elsewhere, in the key store.
package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// Keys is what the vault needs of the key store; *keystore.Store documents the methods.
type Keys interface {
	Backends() []string
	Key(ctx context.Context, backend string) ([]byte, error)
	Create(ctx context.Context, backend string, lock keystore.Locker) ([]byte, error)
	Delete(ctx context.Context, backend string, lock keystore.Locker) error
	IsDemanded() bool
}

// A Vault says where the vault is. Goroutines and processes may use it at once.
type Vault struct {
	// Dir has everything; it is created when it is first needed. "" means that there is no
	// directory: nothing is found and nothing is stored.
	Dir string
	// SharedLockDir returns a directory that all vaults of the user share, because they
	// share the keys of the OS and the kernel; nil for Dir.
	SharedLockDir func() string
	// Keys seals and opens. Without backends nothing is found and nothing is stored.
	Keys Keys
	// Memory is in front of the vault; nil for none: a process that gets one token needs none.
	Memory *Memory
	// ShareFailures is for how long a failed fetch is shared at least; 0 for five seconds.
	ShareFailures time.Duration
	// Now is the clock.
	Now func() time.Time
	// Log gets the steps, never a secret.
	Log *slog.Logger
}

// A Session is the vault opened for one operation, such as a get, in one goroutine.
type Session struct {
	*Vault
	dir    *keyspace.Dir     // nil where there is no vault
	err    error             // why the vault is not used
	spaces []string          // the keyspaces when they were last listed; nil to list them again
	keys   map[string][]byte // what was read of the key store, by backend
}

// Open opens the vault; it never fails, since a vault that can't be used is an error only
// where something was stored in it. Close the Session.
func (v *Vault) Open() *Session {
	s := &Session{Vault: v, keys: map[string][]byte{}}
	if v.Dir == "" {
		return s
	}
	s.dir, s.err = keyspace.Open(v.Dir)
	if errors.Is(s.err, fs.ErrNotExist) {
		s.err = nil
	}
	if s.err != nil {
		denied := safefile.Denied(v.Dir, s.err)
		if fault.Is(denied, fault.FileDenied, fault.FileForeign) {
			s.err = &fault.Error{Code: fault.LoginVault, Reason: "the vault can't be used: " + denied.Error(), Cause: denied}
		}
		v.Log.Debug("the vault is not used", "error", s.err)
	}
	return s
}

// Close releases the vault.
func (s *Session) Close() {
	if s.dir != nil {
		s.dir.Close()
	}
}

// Err returns why the vault is not used; nil if it is, or doesn't exist yet.
func (s *Session) Err() error { return s.err }

// Exists reports whether there is a vault.
func (s *Session) Exists() bool { return s.dir != nil }

// create creates the vault's directory, if there is none.
func (s *Session) create() error {
	switch {
	case s.Dir == "":
		return fault.New(fault.VaultNoPlace, "there is no home directory for the vault")
	case s.err != nil || s.dir != nil:
		return s.err
	}
	if err := safefile.MakeDir(s.Dir); err != nil {
		return &fault.Error{Code: fault.VaultNoPlace, Reason: "can't create the vault: " + err.Error(), Cause: err}
	}
	s.dir, s.err = keyspace.Open(s.Dir)
	return s.err
}

// keyspaces returns the names of the keyspaces, the best first, and how many of them have
// a backend that is used here. Listing and deleting need no trust in the vault, so code
// that opens entries checks s.err first.
func (s *Session) keyspaces() (names []string, usable int) {
	if s.dir == nil {
		return nil, 0
	}
	backends := s.Keys.Backends()
	rank := func(name string) int {
		if i := slices.Index(backends, keyspace.Backend(name)); i >= 0 {
			return i
		}
		return len(backends)
	}
	if s.spaces == nil {
		names, err := s.dir.Names("")
		if err != nil {
			s.err = cmp.Or(s.err, err) // a login must not seem to be absent
		}
		s.spaces = slices.DeleteFunc(names, func(name string) bool { return keyspace.Backend(name) == "" })
		slices.SortStableFunc(s.spaces, func(a, b string) int { return rank(a) - rank(b) })
	}
	for usable < len(s.spaces) && rank(s.spaces[usable]) < len(backends) {
		usable++
	}
	return s.spaces, usable
}

// isUsable reports whether a keyspace's backend is used here. Whether it has the key,
// only the backend knows.
func (v *Vault) isUsable(space string) bool {
	return slices.Contains(v.Keys.Backends(), keyspace.Backend(space))
}

// A sealer is a backend with the key that seals what is stored now.
type sealer struct {
	backend, keyspace string
	key               []byte // nil where the key would have to be created first
}

// sealer returns the first backend that has a key or, with create, takes a new one. A
// backend that is locked, slow or broken is skipped. An error has the code of the last
// backend's failure.
func (s *Session) sealer(ctx context.Context, create bool) (seal sealer, err error) {
	none := &fault.Error{Code: fault.KeyringNone}
	if s.Keys.IsDemanded() { // the user demanded this, so advise changing the setting
		none.Cause = &fault.Error{Code: fault.Settings}
	}
	err = none
	for _, backend := range s.Keys.Backends() {
		if backend == keystore.File && s.prefersOS() {
			continue
		}
		key, failed := s.readKey(ctx, backend)
		if errors.Is(failed, keystore.ErrNotFound) {
			if !create {
				return sealer{backend: backend}, nil
			}
			key, failed = s.Keys.Create(ctx, backend, s.keyLocker(backend))
		}
		if failed == nil {
			return sealer{backend, keyspace.Name(backend, key), key}, nil
		}
		s.Log.Debug("keyring skipped", "keyring", backend, "error", failed)
		if fault.Is(failed, fault.VaultNoPlace) {
			return sealer{}, failed // there is no place for a lock, so other backends fail, too
		}
		err = failed
	}
	return sealer{}, err
}

// prefersOS reports whether nothing new may be sealed by a key file, because keys of the
// OS keyring have sealed entries here. Otherwise a program that can write files here could
// choose the key, whenever the OS keyring is locked or not available. The user may demand it.
func (s *Session) prefersOS() bool {
	spaces, _ := s.keyspaces()
	return !s.Keys.IsDemanded() && slices.ContainsFunc(spaces, func(space string) bool {
		return keyspace.Backend(space) == keystore.OS
	})
}

// Writable returns why nothing can be stored; nil if something can. It may create the
// vault's directory and the key.
func (s *Session) Writable(ctx context.Context) error {
	if err := s.create(); err != nil {
		return err
	}
	_, err := s.sealer(ctx, true)
	return err
}

// WritableBackend returns the backend whose key would seal a login, or why none could. It
// creates nothing.
func (s *Session) WritableBackend(ctx context.Context) (backend string, err error) {
	if s.err != nil {
		return "", s.err
	}
	seal, err := s.sealer(ctx, false)
	return seal.backend, err
}

// keyLocker takes the lock under which a backend's key is created. Vaults that share the
// backend share the lock, wherever they are; a key file belongs to one vault.
func (s *Session) keyLocker(backend string) keystore.Locker {
	return func(ctx context.Context) (func(), error) {
		if backend != keystore.File && s.SharedLockDir != nil {
			// Where that directory can't be used, the vault's own lock is better than
			// none.
			unlock, err := keyspace.Lock(ctx, s.SharedLockDir(), "key-"+backend, nil)
			if err == nil || fault.Is(err, fault.Busy) {
				return unlock, err
			}
		}
		return s.lock(ctx, "key-"+backend, nil)
	}
}

// lock takes one of the vault's own locks.
func (s *Session) lock(ctx context.Context, name string, isDone func() bool) (unlock func(), err error) {
	if err := s.create(); err != nil {
		return nil, err
	}
	return keyspace.Lock(ctx, filepath.Join(s.Dir, "locks"), name, isDone)
}

// lockPrefix is how many characters of an entry's name choose its lock: with three there
// are at most 4,096 lock files. Two entries with the same lock wait for each other now
// and then.
const lockPrefix = 3

// hashName hashes a list of strings, such that no two lists have the same hash. 20
// bytes of a SHA-256 are enough for that, and keep paths short.
func hashName(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

// NotInNamespace returns why a login that may be opened here can't be opened in a user
// namespace; nil if it can, as far as that is known.
func (s *Session) NotInNamespace(l identity.Login) error {
	if keyspace.Backend(l.Keyspace) != keystore.Kernel || !l.HasSecret() && l.NamesNothing() {
		return nil
	}
	return &fault.Error{
		Code: fault.LoginNamespace, Reason: "Podman can't open the stored login: its key is in the kernel keyring, and " +
			"Podman runs this helper in a user namespace, which has keyrings of its own",
	}
}

// Unwritable returns why nothing can be written to the vault, or why it can't be created,
// as far as that is known without trying; nil if it can.
func (s *Session) Unwritable() error {
	return safefile.CheckPlace(filepath.Join(s.Dir, "new"))
}

// readKey reads a backend's key, once for each session.
func (s *Session) readKey(ctx context.Context, backend string) ([]byte, error) {
	if key := s.keys[backend]; key != nil {
		return key, nil
	}
	key, err := s.Keys.Key(ctx, backend)
	if err == nil {
		s.keys[backend] = key
	}
	return key, err
}

// key returns a keyspace's key; an error's code says what a user can do about it.
func (s *Session) key(ctx context.Context, space string) ([]byte, error) {
	backend := keyspace.Backend(space)
	if !slices.Contains(s.Keys.Backends(), backend) {
		return nil, &fault.Error{
			Code: fault.LoginElsewhere, Object: backend,
			Reason: "its key is in " + keystore.Title(backend) + ", which is not available in this session",
		}
	}
	key, err := s.readKey(ctx, backend)
	switch {
	case errors.Is(err, keystore.ErrNotFound), err == nil && keyspace.Name(backend, key) != space:
		if backend == keystore.Kernel && safefile.InUserNamespace() {
			return nil, &fault.Error{
				Code: fault.LoginNamespace, Reason: "its key is not in the kernel keyring of this user namespace " +
					"(Podman and Buildah run helpers in one without root, with keyrings of its own)",
			}
		}
		return nil, fault.New(fault.LoginKeyGone, "its key is no longer in %s", keystore.Title(backend))
	case err != nil:
		return nil, &fault.Error{Code: fault.LoginKeyring, Reason: err.Error(), Cause: err}
	}
	return key, nil
}
