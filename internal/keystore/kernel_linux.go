package keystore

import (
	"context"
	"errors"
	"runtime"

	"golang.org/x/sys/unix"
)

func openKernel(s Settings) (b *bounded, ok bool) {
	return newBounded(kernelKeyring{s.label}, Kernel, "the kernel keyring", 0), true
}

// A kernelKeyring holds the key as a "user" key in the kernel: in the user's persistent
// keyring, which outlives logouts and is forgotten after three days without use
// (persistent-keyring(7)), or, where the kernel has none, in the user's keyring
// (user-keyring(7)). A user namespace has keyrings, and so a key, of its own.
//
// A key may be read by a process that possesses it, that is, has a keyring that leads to
// it (keyrings(7)). The session keyring of SSH, cron or systemd leads to neither, so each
// use first links the keyring to the process keyring. The process keyring belongs to the
// credentials of one OS thread; on another thread the same read fails with EACCES. Hence
// one locked thread from link to read.
type kernelKeyring struct{ description string }

// errNoPersistent says that this kernel has no persistent keyrings at all. Any other
// failure to get one is not a reason to use the user's keyring: there would soon be two
// keys.
var errNoPersistent = errors.New("the kernel has no persistent keyrings")

// Key looks in the persistent keyring and then, where that has no key, in the user's: the
// key may date from a time when the kernel had only the latter.
func (k kernelKeyring) Key(context.Context) ([]byte, error) { return inKeyrings(k.read) }

// inKeyrings calls use with the keyrings that exist, until it returns a key or fails.
func inKeyrings(use func(keyring int) ([]byte, error)) (key []byte, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, possess := range []func() (int, error){persistentKeyring, userKeyring} {
		keyring, err := possess()
		if errors.Is(err, errNoPersistent) || isGone(err) { // a user with a full quota gets ENOKEY for @u
			continue
		}
		if err == nil {
			key, err = use(keyring)
		}
		if key != nil || err != nil {
			return key, err
		}
	}
	return nil, nil
}

func (k kernelKeyring) read(keyring int) ([]byte, error) {
	value, n := make([]byte, 64), 0 // longer than a key, to recognize another value
	id, err := unix.KeyctlSearch(keyring, "user", k.description, 0)
	if err == nil {
		n, err = unix.KeyctlBuffer(unix.KEYCTL_READ, id, value, 0)
	}
	switch {
	case isGone(err):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return value[:min(n, len(value))], nil
}

// Create puts the key into the first keyring that exists. add_key(2) into the keyring
// itself would overwrite a key that another process created meanwhile, so the key is created in
// the process keyring, and moved, which can refuse to overwrite.
func (k kernelKeyring) Create(_ context.Context, key []byte) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	keyring, err := persistentKeyring()
	if errors.Is(err, errNoPersistent) {
		keyring, err = userKeyring()
	}
	if err != nil {
		return err
	}
	const process = unix.KEY_SPEC_PROCESS_KEYRING
	id, err := unix.AddKey("user", k.description, key, process)
	if err != nil {
		return err
	}
	_, err = unix.KeyctlInt(unix.KEYCTL_MOVE, id, process, keyring, unix.KEYCTL_MOVE_EXCL)
	if err == nil {
		return nil
	}
	defer unix.KeyctlInt(unix.KEYCTL_UNLINK, id, process, 0, 0) // leave nothing in the process keyring
	if _, search := unix.KeyctlSearch(keyring, "user", k.description, 0); err == unix.EEXIST && search == nil {
		return nil // another process's key stays, and is read back
	}
	// An expired key is in the way, or Linux is older than 5.3 and can't move: link
	// replaces the former, and works for the latter.
	_, err = unix.KeyctlInt(unix.KEYCTL_LINK, id, keyring, 0, 0)
	return err
}

// Delete unlinks the key from both keyrings: it is gone with its last link.
func (k kernelKeyring) Delete(context.Context) error {
	_, err := inKeyrings(func(keyring int) ([]byte, error) {
		id, err := unix.KeyctlSearch(keyring, "user", k.description, 0)
		if err == nil {
			_, err = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, keyring, 0, 0)
		}
		if isGone(err) {
			return nil, nil
		}
		return nil, err
	})
	return err
}

func persistentKeyring() (int, error) {
	keyring, err := unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, -1, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
	if err == unix.EOPNOTSUPP || err == unix.EINVAL {
		return 0, errNoPersistent
	}
	return keyring, err
}

func userKeyring() (int, error) {
	_, err := unix.KeyctlInt(unix.KEYCTL_LINK, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
	return unix.KEY_SPEC_USER_KEYRING, err
}

// isGone reports whether an error says that there is no key, or none any more.
func isGone(err error) bool {
	return err == unix.ENOKEY || err == unix.EKEYEXPIRED || err == unix.EKEYREVOKED
}
