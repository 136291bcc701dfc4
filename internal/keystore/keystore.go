// Package keystore holds the one 256-bit key that encrypts the vault. The key is in the
// OS keyring (Secret Service, Keychain, Credential Manager), in the Linux kernel keyring,
// or in a key file. Each of these backends has a key of its own, so what was encrypted
// with one backend's key never depends on another backend.
//
// Nothing here prompts, unlocks or starts a D-Bus daemon, except Unlock: a backend that
// would need that fails with fault.KeyringLocked or fault.KeyringUnavailable, and the
// caller works without it.
package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// Names of backends, as DOCKER_CREDENTIAL_ACR_KEYRING takes them and status shows them.
const (
	OS     = "os"
	Kernel = "kernel"
	File   = "file"
)

var titles = map[string]string{OS: "the OS keyring", Kernel: "the kernel keyring", File: "the key file"}

// Title returns what users call a backend.
func Title(backend string) string { return cmp.Or(titles[backend], backend) }

// KeySize is the length of a key in bytes.
const KeySize = 32

// What the key is called in keyrings; changing either would lose every existing key.
const (
	serviceName = "docker-credential-acr"
	userName    = "vault-key"
)

// osTimeout limits one use of the OS keyring. A stopped service, or one that waits for a
// prompt, never answers, and a process must not lose more than three seconds to it.
// Usually it takes milliseconds, and some hundred for a service that is started on
// demand.
const osTimeout = 2 * time.Second

// ErrNotFound is among the causes where a backend works and has no key: only then may one
// be created.
var ErrNotFound = errors.New("no key")

// A Locker takes the lock between processes for creating or deleting a backend's key.
type Locker func(context.Context) (unlock func(), err error)

// Settings says which backends to use, and where the key file is.
type Settings struct {
	Choice  string              // auto (also ""), os, kernel, file or none
	Follow  string              // what auto follows: os, kernel or file; "" for the usual order
	KeyFile string              // absolute path of the key file, "" where there is no directory for it
	Getenv  func(string) string // for DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR, and what programs need
	// LockedMarker is a file in a private directory of the user, by which processes on macOS
	// tell each other that the Keychain is locked; "" for none.
	LockedMarker string
	// Now is the clock, for the age of that file.
	Now func() time.Time

	label string // the kernel key's description, "" for the usual one; tests use their own
}

// A Store is the key store of one process. It remembers which backends timed out. It is
// safe for many goroutines.
type Store struct {
	backends []*bounded
	demanded bool // by a Choice other than auto
}

// A backend is a place for the key. Key returns nil where there is no key; a locked
// keyring is a fault.KeyringLocked, and every other error means that the backend can't be
// used. Create is only called right after Key returned nil, under a lock, and does not
// replace a key that appeared in between, as far as the backend can tell. Delete is only
// called right after Key returned a key, under the same lock.
type backend interface {
	Key(ctx context.Context) ([]byte, error)
	Create(ctx context.Context, key []byte) error
	Delete(ctx context.Context) error
}

// Open chooses the backends, best first. It does no I/O beyond a stat, so it can't hang.
func Open(s Settings) (*Store, error) {
	if s.label == "" {
		s.label = serviceName + ":" + userName
	}
	store := &Store{demanded: s.Choice != "auto" && s.Choice != ""}
	switch s.Choice {
	case "auto", "":
		return &Store{backends: automatic(s)}, nil
	case OS:
		b, _ := openOS(s) // without a bus it fails when it is read
		store.backends = []*bounded{b}
	case Kernel:
		b, _ := openKernel(s)
		store.backends = []*bounded{b}
	case File:
		b, _ := openKeyFile(s)
		store.backends = []*bounded{b}
	case "none":
	default:
		return nil, fault.InvalidVariable(fault.Settings, "DOCKER_CREDENTIAL_ACR_KEYRING", s.Choice,
			fmt.Sprintf("is %q; use auto, os, kernel, file or none", s.Choice))
	}
	return store, nil
}

// automatic returns what auto uses. An OS keyring goes first, because it protects the key
// best. After it goes what the user has chosen once; the kernel keyring stays, for what it
// has encrypted already. A user who chose the OS keyring wants nothing else.
func automatic(s Settings) (backends []*bounded) {
	order := []func(Settings) (*bounded, bool){openOS, openKernel}
	switch s.Follow {
	case OS:
		b, _ := openOS(s)
		return []*bounded{b}
	case File:
		order = []func(Settings) (*bounded, bool){openOS, openKeyFile, openKernel}
	}
	for _, open := range order {
		if b, ok := open(s); ok {
			backends = append(backends, b)
		}
	}
	return backends
}

// IsDemanded reports whether the user, or the program that uses the library, wants these
// backends and no others for this process.
func (s *Store) IsDemanded() bool { return s.demanded }

// Backends returns the names of the usable backends, best first: a subset of "os",
// "kernel" and "file"; nil for none. Usable means worth trying, not that a key is there.
func (s *Store) Backends() []string {
	var names []string
	for _, b := range s.backends {
		names = append(names, b.name)
	}
	return names
}

// Key reads the key of one backend. The error wraps ErrNotFound where the backend works
// and has no key. A backend that timed out is not used again for the life of the Store.
func (s *Store) Key(ctx context.Context, backend string) ([]byte, error) {
	b, err := s.find(backend)
	if err != nil {
		return nil, err
	}
	return b.do(ctx, b.key, func() {})
}

// Create creates the key of a backend that has none. All processes that create it at the
// same time must end with the same key, since what another key encrypted is lost: so it
// takes the lock, looks again, writes, and returns what it reads back, its own key or
// another's. Any other error than ErrNotFound is returned, and nothing is written.
//
// The lock is released when the write has really ended, which for a backend that timed
// out is later than Create returns: a late write must not replace the key that the next
// holder of the lock creates.
func (s *Store) Create(ctx context.Context, backend string, lock Locker) ([]byte, error) {
	return s.locked(ctx, backend, lock, (*bounded).create)
}

// Delete deletes the key of one backend; what it encrypted can never be decrypted again.
// The error wraps ErrNotFound where there is no key; after any other error there may
// still be one.
func (s *Store) Delete(ctx context.Context, backend string, lock Locker) error {
	_, err := s.locked(ctx, backend, lock, (*bounded).remove)
	return err
}

func (s *Store) locked(
	ctx context.Context, backend string, lock Locker, work func(*bounded, context.Context) ([]byte, error),
) ([]byte, error) {
	b, err := s.find(backend)
	if err != nil {
		return nil, err
	}
	if b.disabled.Err() != nil { // without waiting for the lock
		return nil, b.timeoutError()
	}
	unlock, err := lock(ctx)
	if err != nil {
		return nil, err
	}
	return b.do(ctx, func(ctx context.Context) ([]byte, error) { return work(b, ctx) }, unlock)
}

func (s *Store) find(name string) (*bounded, error) {
	i := slices.IndexFunc(s.backends, func(b *bounded) bool { return b.name == name })
	if i < 0 {
		return nil, fault.New(fault.KeyringUnavailable, "%s is not available in this session", Title(name))
	}
	return s.backends[i], nil
}

// TryWrite tries to write to a backend that has no key, if nothing else shows that it can be
// written: macOS has sessions without a keychain, in which reading finds no key.
func (s *Store) TryWrite(ctx context.Context, backend string) error {
	b, err := s.find(backend)
	if err != nil {
		return err
	}
	t, ok := b.backend.(interface {
		TryWrite(ctx context.Context) error
	})
	if !ok {
		return nil
	}
	_, err = b.do(ctx, func(ctx context.Context) ([]byte, error) {
		if err := t.TryWrite(ctx); err != nil {
			return nil, b.explain(err)
		}
		return nil, nil
	}, func() {})
	return err
}

// Unlock asks the user to unlock the OS keyring, in that keyring's own dialog, and
// reports whether it was unlocked already. It takes as long as the user takes, or ctx,
// and calls prompting before the dialog shows.
func (s *Store) Unlock(ctx context.Context, prompting func()) (already bool, err error) {
	b, err := s.find(OS)
	if err != nil {
		return false, errors.New("there is no OS keyring in this session (for example over SSH, or " +
			"DOCKER_CREDENTIAL_ACR_KEYRING selects another one)")
	}
	if !b.prompts { // else there would be two dialogs
		_, err = s.Key(ctx, OS)
		switch {
		case err == nil, errors.Is(err, ErrNotFound):
			return true, nil
		case !fault.Is(err, fault.KeyringLocked):
			return false, err
		}
	}
	u, ok := b.backend.(interface { // waits until the dialog ends
		Unlock(ctx context.Context, prompting func()) error
	})
	if !ok {
		return false, errors.New("this system unlocks its keyring when you sign in to it")
	}
	if err := u.Unlock(ctx, prompting); err != nil {
		err = cmp.Or(ctx.Err(), err) // more exact than what the cancellation looked like
		return false, fmt.Errorf("%s is still locked: %w", b.title, err)
	}
	if _, err = s.Key(ctx, OS); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return false, err
}

// errNotKey is the error for a value that isn't a key. It may be a newer version's, so it
// is not ErrNotFound, after which it would be overwritten.
var errNotKey error = &fault.Error{
	Code: fault.KeyFile, Reason: fmt.Sprintf("it does not contain a %d-byte key", KeySize),
}
