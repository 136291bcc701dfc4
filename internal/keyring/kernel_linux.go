package keyring

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// kernelHome keeps the key as a "user" key in the kernel: in the user's
// persistent ring, which outlives logouts and is forgotten after three days
// without use (persistent-keyring(7)), else in the user's ring (user-keyring(7)).
// A user namespace has rings, and so a key, of its own.
//
// A key may be read by who possesses it: who has a ring that leads to it
// (keyrings(7)). The session ring of SSH, cron or systemd leads to neither, so
// each use links the ring to the process ring first. The process ring belongs
// to the credentials of one OS thread; on another thread the same read is
// EACCES. Hence one locked thread from link to read.
type kernelHome struct{ description string }

func openKernel(description string) (home, bool) { return kernelHome{description}, true }

func (kernelHome) name() string  { return "kernel" }
func (kernelHome) title() string { return "the kernel keyring" }

// read looks in the persistent ring and then, where that has no key, in the
// user's: the key may date from a time when the kernel had only the latter.
func (k kernelHome) read(context.Context) ([]byte, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, possess := range []func() (int, error){persistentRing, userRing} {
		ring, err := possess()
		if errors.Is(err, errNoRing) || gone(err) { // a user with a full quota gets ENOKEY for @u
			continue
		}
		if err != nil {
			return nil, unavailable(k.title(), err)
		}
		key, err := k.readFrom(ring)
		if !errors.Is(err, ErrNotFound) {
			return key, err
		}
	}
	return nil, fmt.Errorf("%s %w", k.title(), ErrNotFound)
}

func (k kernelHome) readFrom(ring int) ([]byte, error) {
	id, err := unix.KeyctlSearch(ring, "user", k.description, 0)
	if gone(err) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, unavailable(k.title(), err)
	}
	key := make([]byte, KeySize+1) // one more, to tell a longer value
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, key, 0)
	switch {
	case gone(err):
		return nil, ErrNotFound
	case err != nil:
		return nil, unavailable(k.title(), err)
	case n != KeySize:
		return nil, notAKey(k.title())
	}
	return key[:KeySize], nil
}

// write puts the key into the first ring that there is. add_key(2) straight
// into the ring would overwrite a key that another process made meanwhile, so
// the key is made aside, in the process ring, and moved, which can refuse to.
func (k kernelHome) write(_ context.Context, key []byte) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := persistentRing()
	if errors.Is(err, errNoRing) {
		ring, err = userRing()
	}
	if err != nil {
		return unavailable(k.title(), err)
	}
	const aside = unix.KEY_SPEC_PROCESS_KEYRING
	id, err := unix.AddKey("user", k.description, key, aside)
	if err != nil {
		return unavailable(k.title(), err)
	}
	_, err = unix.KeyctlInt(unix.KEYCTL_MOVE, id, aside, ring, unix.KEYCTL_MOVE_EXCL)
	if err == nil {
		return nil
	}
	defer unix.KeyctlInt(unix.KEYCTL_UNLINK, id, aside, 0, 0) // no trace of it in the process ring
	if _, search := unix.KeyctlSearch(ring, "user", k.description, 0); err == unix.EEXIST && search == nil {
		return nil // the other's key stands, and is read back
	}
	// An expired key is in the way, or Linux is older than 5.3 and can't move:
	// link takes the place of the former and does for the latter.
	if _, err := unix.KeyctlInt(unix.KEYCTL_LINK, id, ring, 0, 0); err != nil {
		return unavailable(k.title(), err)
	}
	return nil
}

// remove unlinks the key from whichever ring has it: it is gone with its last link.
func (k kernelHome) remove(context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, possess := range []func() (int, error){persistentRing, userRing} {
		ring, err := possess()
		if errors.Is(err, errNoRing) || gone(err) {
			continue
		}
		if err != nil {
			return unavailable(k.title(), err)
		}
		id, err := unix.KeyctlSearch(ring, "user", k.description, 0)
		if err == nil {
			_, err = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, ring, 0, 0)
		}
		if err != nil && !gone(err) {
			return unavailable(k.title(), err)
		}
	}
	return nil
}

// errNoRing says that this kernel has no persistent rings at all. Any other
// failure to get one is no reason to turn to the user's ring: there would soon
// be two keys.
var errNoRing = errors.New("the kernel has no persistent keyrings")

func persistentRing() (int, error) {
	ring, err := unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, -1, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
	if err == unix.EOPNOTSUPP || err == unix.EINVAL {
		return 0, errNoRing
	}
	return ring, err
}

func userRing() (int, error) {
	_, err := unix.KeyctlInt(unix.KEYCTL_LINK, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
	return unix.KEY_SPEC_USER_KEYRING, err
}

// gone tells the errors that say there is no key (any more) from the rest.
func gone(err error) bool {
	return err == unix.ENOKEY || err == unix.EKEYEXPIRED || err == unix.EKEYREVOKED
}
