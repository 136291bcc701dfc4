//go:build linux || freebsd || netbsd || openbsd

package keystore

import (
	"context"

	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore/secretservice"
)

// openOS reports whether there is a session bus.
func openOS(s Settings) (b *bounded, ok bool) {
	keyring := secretService{secretservice.Open(s.Getenv, serviceName, userName)}
	return newBounded(keyring, OS, "the OS keyring (Secret Service)", osTimeout), keyring.HasBus()
}

// secretService holds the key as text.
type secretService struct{ secretservice.Keyring }

func (s secretService) Key(ctx context.Context) ([]byte, error) {
	text, found, err := s.Get(ctx)
	if err != nil || !found {
		return nil, err
	}
	return decode(text), nil
}

func (s secretService) Create(ctx context.Context, key []byte) error { return s.Set(ctx, encode(key)) }
