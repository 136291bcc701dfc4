package keystore

import (
	"context"
	"errors"

	"github.com/zalando/go-keyring"
)

// credentialManager holds the key as text in Windows' Credential Manager, which every
// session has, and which never prompts.
type credentialManager struct{}

func openOS(Settings) (b *bounded, ok bool) {
	return newBounded(credentialManager{}, OS, "the OS keyring (Credential Manager)", osTimeout), true
}

func (credentialManager) Key(context.Context) ([]byte, error) {
	text, err := keyring.Get(serviceName, userName)
	switch {
	case errors.Is(err, keyring.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return decode(text), nil
}

func (credentialManager) Create(_ context.Context, key []byte) error {
	return keyring.Set(serviceName, userName, encode(key))
}

func (credentialManager) Delete(context.Context) error { return keyring.Delete(serviceName, userName) }
