package keystore

import (
	"context"

	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore/keychain"
)

// keychainKeyring holds the key as text in the Keychain, which every session has.
type keychainKeyring struct{ *keychain.Keychain }

func openOS(s Settings) (b *bounded, ok bool) {
	k := &keychain.Keychain{
		Program: keychain.Program, Service: serviceName, Account: userName, Getenv: s.Getenv, Marker: s.LockedMarker,
		Now: s.Now,
	}
	b = newBounded(keychainKeyring{k}, OS, "the OS keyring (Keychain)", osTimeout)
	b.prompts = true
	return b, true
}

func (k keychainKeyring) Key(ctx context.Context) ([]byte, error) {
	text, found, err := k.Get(ctx)
	if err != nil || !found {
		return nil, err
	}
	return decode(text), nil
}

func (k keychainKeyring) Create(ctx context.Context, key []byte) error {
	return k.Set(ctx, encode(key))
}
