// Package vault keeps what may be kept on disk: ACR tokens, stored logins and
// notes about recent failures. Every secret is one small file, sealed with
// AES-256-GCM by a key that lies elsewhere, in a keyring.
//
// Files lie in compartments, directories named after the home of the key and
// the key's id. Nobody writes or deletes what a foreign key has sealed, so a
// desktop session, an SSH session without D-Bus and a user namespace, which see
// different keyrings, can't destroy each other's entries.
//
// (The package is longer than a room of this house should be: tokens, logins and
// failures share compartments and locks, and to part them would show those to
// the outside.)
package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// Keys is what the vault needs of a keyring. Key answers fs.ErrNotExist exactly
// where the home is in order and holds no key; only then is one made. See
// package keyring for the rest of what the methods promise.
type Keys interface {
	Homes() []string
	Key(ctx context.Context, home string) ([]byte, error)
	Make(ctx context.Context, home string, lock func(context.Context) (unlock func(), err error)) ([]byte, error)
	Delete(ctx context.Context, home string, lock func(context.Context) (unlock func(), err error)) error
}

// A Vault is safe for many goroutines and many processes at once.
type Vault struct {
	// Dir holds everything; it is made when first needed. Empty means that
	// there is no place: nothing is found and nothing is kept.
	Dir string
	// KeyLocks is a directory that all vaults of the user have in common: keys of
	// the OS and of the kernel are common to them, too. Empty means Dir.
	KeyLocks string
	// Keys seals and opens. Without homes nothing is found and nothing is kept.
	Keys Keys
	// Now is the clock.
	Now func() time.Time
	// Log gets the steps; it never gets a secret.
	Log *slog.Logger
}

// ErrNoHome is what storing a secret answers where no keyring can hold the key.
var ErrNoHome = errors.New("there is no keyring to seal a secret with")

// ErrBusy is among the causes where another process made a key all the while.
var ErrBusy = sealed.ErrWaited

// open opens the vault's directory. fs.ErrNotExist means an empty vault.
func (v *Vault) open() (*os.Root, error) {
	if v.Dir == "" {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(v.Dir)
	if err != nil {
		return nil, err
	}
	info, err := root.Stat(".")
	if err == nil {
		if why := owner.Private(info); why != "" {
			err = fmt.Errorf("the vault %s %w: %s", v.Dir, errUntrusted, why)
		}
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// create opens the vault's directory for writing.
func (v *Vault) create() (*os.Root, error) {
	if v.Dir == "" {
		return nil, errors.New("there is no home directory to keep the vault in")
	}
	if err := os.MkdirAll(v.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the vault: %w", err)
	}
	return v.open()
}

// A sealer is a key that can be used now, with the compartment it stands for.
type sealer struct {
	home string
	key  []byte
}

func (s sealer) compartment() string { return sealed.Compartment(s.home, s.key) }

// sealer finds the first home that has a key, and makes one where a home is
// willing and empty. A home that is locked, slow or broken is passed over.
func (v *Vault) sealer(ctx context.Context) (sealer, error) {
	failed := ErrNoHome
	for _, home := range v.Keys.Homes() {
		key, err := v.Keys.Key(ctx, home)
		if errors.Is(err, fs.ErrNotExist) {
			key, err = v.Keys.Make(ctx, home, func(ctx context.Context) (func(), error) { return v.lockKey(ctx, home) })
		}
		if err == nil {
			return sealer{home, key}, nil
		}
		v.Log.Debug("keyring passed over", "home", home, "why", err)
		failed = fmt.Errorf("%w: %w", ErrNoHome, err)
	}
	return sealer{}, failed
}

// lockKey takes the lock under which a home's key is made. Vaults that share the
// home must share the lock, wherever they lie; a key file is a vault's own.
func (v *Vault) lockKey(ctx context.Context, home string) (unlock func(), err error) {
	if home != "file" && v.KeyLocks != "" {
		unlock, err = sealed.Lock(ctx, v.KeyLocks, "key-"+home, nil)
		if err == nil || errors.Is(err, sealed.ErrWaited) {
			return unlock, err
		}
	}
	return v.lock(ctx, "key-"+home, nil)
}

// lock takes one of the vault's own locks.
func (v *Vault) lock(ctx context.Context, name string, settled func() bool) (unlock func(), err error) {
	root, err := v.create()
	if err != nil {
		return nil, err
	}
	root.Close()
	return sealed.Lock(ctx, filepath.Join(v.Dir, "locks"), name, settled)
}

// lockName maps entries to 4,096 locks, so that the directory of locks can't
// grow for ever. Two entries that share one now and then wait for each other.
func lockName(name string) string { return name[:3] }

// compartments lists the directories of the vault: first those of homes that
// can be used now, best first, then the others.
func (v *Vault) compartments(root *os.Root) []string {
	dir, err := root.Open(".")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	names = slices.DeleteFunc(names, func(n string) bool { return sealed.HomeOf(n) == "" })
	homes := v.Keys.Homes()
	rank := func(n string) int {
		if i := slices.Index(homes, sealed.HomeOf(n)); i >= 0 {
			return i
		}
		return len(homes)
	}
	slices.SortFunc(names, func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return names
}

// write puts a file that may be lost into a compartment.
func (v *Vault) write(compartment, name string, content []byte) error {
	root, err := v.create()
	if err != nil {
		return err
	}
	defer root.Close()
	return sealed.Write(root, compartment, name, content, false)
}

// Usable says why the vault is not used; nil where nothing is wrong with it, and
// fs.ErrNotExist where there is none yet.
func (v *Vault) Usable() error {
	root, err := v.open()
	if err == nil {
		root.Close()
	}
	return err
}
