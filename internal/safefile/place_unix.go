//go:build unix

package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// makePrivate makes a directory, and those above it, that only the user can enter.
func makePrivate(path string) error { return os.MkdirAll(path, 0o700) }

// canMake returns why no entry can be made in a directory; nil if one can.
func canMake(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return err
	}
	return nil
}
