// Package safefile reads files that others may have written, with a limit and without
// waiting, and writes files in one step, so that a reader sees the old content or the new
// one. Its errors don't name the file: callers do, as the user knows it.
package safefile

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

var (
	// ErrNotRegular is the error for a directory, pipe or device, reading which could
	// block forever or never end.
	ErrNotRegular = errors.New("it is not a regular file")
	// ErrTooLong is the error for a file that is longer than the limit.
	ErrTooLong = errors.New("it is too long")
	// ErrUntrusted is among the causes where other users could have written the file.
	ErrUntrusted = errors.New("untrusted")
)

// MaxText is far above a config file of thousands of registries.
const MaxText = 1 << 20

// withoutWaiting opens a pipe without waiting for its writer.
const withoutWaiting = os.O_RDONLY | syscall.O_NONBLOCK

// Read reads a regular file of at most limit bytes, which may be another user's.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, withoutWaiting, 0)
	return read(f, err, limit, func(fs.FileInfo) error { return nil })
}

// ReadTrusted reads a regular file of at most limit bytes, if only its reader or root can
// have written it, or put it where it is; otherwise the error wraps ErrUntrusted.
func ReadTrusted(path string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, withoutWaiting, 0)
	return read(f, err, limit, func(info fs.FileInfo) error {
		if err := checkTrusted(info); err != nil {
			return err
		}
		return checkWay(path)
	})
}

// ReadPrivate reads a regular file of at most limit bytes below dir, if no other user can
// have read or written it; otherwise the error wraps ErrUntrusted. A symbolic link is
// ErrNotRegular.
func ReadPrivate(dir *os.Root, name string, limit int64) ([]byte, error) {
	// A Root follows links that don't leave its directory.
	if info, err := dir.Lstat(name); err == nil && info.Mode().Type() == fs.ModeSymlink {
		return nil, ErrNotRegular
	}
	f, err := dir.OpenFile(name, withoutWaiting, 0)
	return read(f, err, limit, CheckPrivate)
}

// read checks what was opened, so that the file can't be exchanged between the check and
// the reading.
func read(f *os.File, err error, limit int64, check func(fs.FileInfo) error) ([]byte, error) {
	if err != nil {
		return nil, Bare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, Bare(err)
	}
	if err := check(info); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrNotRegular
	}
	return ReadLimited(f, limit)
}

// ReadAny reads at most limit bytes of any file, a pipe included, as of a shell's
// <(command). It waits for a writer.
func ReadAny(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, Bare(err)
	}
	defer f.Close()
	return ReadLimited(f, limit)
}

// ReadLimited reads all of r, if that is at most limit bytes.
func ReadLimited(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%w (more than %d bytes)", ErrTooLong, limit)
	}
	return content, Bare(err)
}

// TrimBOM removes the byte order mark that some editors and PowerShell begin a text with.
func TrimBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }

// Bare removes the path from an error: it may be that of a temporary file, or behind a
// symbolic link.
func Bare(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return failed.Err
	}
	if failed, ok := errors.AsType[*os.LinkError](err); ok {
		return failed.Err
	}
	return err
}

// CheckPrivate returns an error, which wraps ErrUntrusted, if other users could have read
// or written a file. Windows has nothing to check: a file in a user's directories
// inherits an access list of the user, administrators and the system.
func CheckPrivate(info fs.FileInfo) error {
	switch uid, known := owner(info); {
	case !known:
		return nil
	case uid != os.Geteuid():
		return untrusted(fault.FileForeign, "it belongs to another user")
	case info.Mode().Perm()&0o077 != 0:
		return untrusted(fault.FileOpen, "other users have access to it")
	}
	return nil
}

// checkTrusted returns an error, which wraps ErrUntrusted, if a user other than the
// reader and root could have written a file.
func checkTrusted(info fs.FileInfo) error {
	switch uid, known := owner(info); {
	case !known:
		return nil
	case !isTrusted(uid):
		return untrusted(fault.FileForeign, "it belongs to another user")
	case info.Mode().Perm()&0o022 != 0:
		return untrusted(fault.FileOpen, "other users can write to it")
	}
	return nil
}

func untrusted(code fault.Code, reason string) error {
	return &fault.Error{Code: code, Reason: reason, Cause: ErrUntrusted}
}

// IsOwn reports whether a file belongs to the user who runs the program, as far as the
// system tells.
func IsOwn(info fs.FileInfo) bool {
	uid, known := owner(info)
	return !known || uid == os.Geteuid()
}

// tempPrefix begins the name of a file that is being written; a process that was killed
// leaves it.
const tempPrefix = "tmp-"

// Write replaces a private file (mode 0600) in dir, whole or not at all. A durable file
// is on the disk when Write returns, at the cost of a sync; another may be lost with the
// power, but is never half written.
func Write(dir *os.Root, name string, content []byte, durable bool) error {
	temp, err := writeTemp(dir, tempPrefix, content, attributes{mode: 0o600, sync: durable})
	if err == nil {
		err = dir.Rename(temp, name)
	}
	if err != nil {
		_ = dir.Remove(temp)
		return Bare(err)
	}
	if durable {
		SyncDir(dir)
	}
	return nil
}

// WriteNew creates a private file (mode 0600) in dir, durably, unless there is one. Of two
// writers one wins, and no reader sees half a file.
func WriteNew(dir *os.Root, name string, content []byte) error {
	temp, err := writeTemp(dir, tempPrefix, content, attributes{mode: 0o600, sync: true})
	defer dir.Remove(temp)
	if err != nil {
		return Bare(err)
	}
	switch err = dir.Link(temp, name); { // which never replaces a file
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		err = dir.Rename(temp, name) // FAT and some network disks have no links
	}
	if err == nil {
		SyncDir(dir)
	}
	return Bare(err)
}

// attributes are what a new file gets beside its content.
type attributes struct {
	mode  fs.FileMode
	group fs.FileInfo // a file whose group it gets; nil for the usual group
	sync  bool
}

// writeTemp writes a new file with a random name, which it returns with an error too,
// for its removal.
func writeTemp(dir *os.Root, prefix string, content []byte, a attributes) (name string, err error) {
	name = prefix + rand.Text()
	// Until its group and mode are set, only its owner can read it.
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return name, err
	}
	if a.group != nil && keepGroup(f, a.group) != nil {
		a.mode &^= 0o070 // otherwise another group could read it
	}
	_, err = f.Write(content)
	if err == nil && a.mode != 0o600 {
		err = f.Chmod(a.mode)
	}
	if err == nil && a.sync {
		err = f.Sync()
	}
	return name, errors.Join(err, f.Close())
}

// SyncDir makes a rename in dir durable. Not every system can, and none needs it to be
// consistent.
func SyncDir(dir *os.Root) {
	if d, err := dir.Open("."); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
