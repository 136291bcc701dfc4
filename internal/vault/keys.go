package vault

import (
	"context"
	"errors"
	"slices"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

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
