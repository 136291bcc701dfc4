//go:build darwin || windows

package keystore

import (
	"context"
	"errors"
	"os/exec"
	"runtime"

	"github.com/zalando/go-keyring"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// nativeKeyring is the Keychain or the Credential Manager, through go-keyring. These
// systems have one for every session.
type nativeKeyring struct{}

func openOS(Settings) (b *bounded, ok bool) {
	title := "the OS keyring (Credential Manager)"
	if runtime.GOOS == "darwin" {
		title = "the OS keyring (Keychain)"
	}
	return newBounded(nativeKeyring{}, OS, title, osTimeout), true
}

func (nativeKeyring) Key(context.Context) ([]byte, error) {
	text, err := keyring.Get(serviceName, userName)
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, locked(err)
	}
	return decode(text), nil
}

func (nativeKeyring) Create(_ context.Context, key []byte) error {
	return locked(keyring.Set(serviceName, userName, encode(key)))
}

func (nativeKeyring) Delete(context.Context) error {
	return locked(keyring.Delete(serviceName, userName))
}

// interactionNotAllowed is the exit status of /usr/bin/security when the keychain is
// locked and no user can be asked, as over SSH: the low byte of
// errSecInteractionNotAllowed (-25308).
const interactionNotAllowed = 36

// locked recognizes the error of a locked keychain.
func locked(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == interactionNotAllowed {
		return &fault.Error{Code: fault.KeyringLocked, Cause: &fault.Error{Code: fault.KeychainLocked}}
	}
	return err
}
