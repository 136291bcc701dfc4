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
