//go:build !linux

package keyring

import (
	"context"
	"errors"
)

// absent stands for a home that this system has not: asked for, it says so.
type absent struct{ as, called string }

func (a absent) name() string  { return a.as }
func (a absent) title() string { return a.called }

func (a absent) read(context.Context) ([]byte, error) {
	return nil, unavailable(a.called, errors.ErrUnsupported)
}

func (a absent) write(context.Context, []byte) error {
	return unavailable(a.called, errors.ErrUnsupported)
}

func (a absent) remove(context.Context) error {
	return unavailable(a.called, errors.ErrUnsupported)
}

func openKernel(string) (home, bool) { return absent{"kernel", "the kernel keyring"}, false }
