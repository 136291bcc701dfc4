//go:build darwin || windows

package keyring

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	gokeyring "github.com/zalando/go-keyring"
)

// nativeHome is the Keychain or the Credential Manager, by way of go-keyring.
type nativeHome struct{}

// openOS always finds one: these systems have a keyring for every session.
func openOS(func(string) string) (home, bool) { return nativeHome{}, true }

func (nativeHome) name() string { return "os" }

func (nativeHome) title() string {
	if runtime.GOOS == "darwin" {
		return "the Keychain"
	}
	return "the Credential Manager"
}

func (n nativeHome) read(context.Context) ([]byte, error) {
	text, err := gokeyring.Get(serviceName, userName)
	if err != nil {
		return nil, n.fault(err)
	}
	return decode(n.title(), text)
}

func (n nativeHome) write(_ context.Context, key []byte) error {
	if err := gokeyring.Set(serviceName, userName, encode(key)); err != nil {
		return n.fault(err)
	}
	return nil
}

func (n nativeHome) remove(context.Context) error {
	if err := gokeyring.Delete(serviceName, userName); err != nil {
		return n.fault(err)
	}
	return nil
}

// interactionNotAllowed is how /usr/bin/security exits when the keychain is
// locked and there is nobody to ask, as over SSH: the low byte of
// errSecInteractionNotAllowed (-25308).
const interactionNotAllowed = 36

func (n nativeHome) fault(err error) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(err, gokeyring.ErrNotFound):
		return fmt.Errorf("%s %w", n.title(), ErrNotFound)
	case errors.As(err, &exit) && exit.ExitCode() == interactionNotAllowed:
		return fmt.Errorf("%s %w", n.title(), ErrLocked)
	}
	return unavailable(n.title(), err)
}
