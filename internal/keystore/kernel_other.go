//go:build !linux

package keystore

import (
	"context"
	"errors"
)

func openKernel(Settings) (b *bounded, ok bool) {
	return newBounded(unsupported{}, Kernel, "the kernel keyring", 0), false
}

// unsupported is a backend that this operating system lacks.
type unsupported struct{}

func (unsupported) Key(context.Context) ([]byte, error)  { return nil, errors.ErrUnsupported }
func (unsupported) Create(context.Context, []byte) error { return errors.ErrUnsupported }
func (unsupported) Delete(context.Context) error         { return errors.ErrUnsupported }
