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
	"strings"
	"syscall"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

var (
	// ErrNotRegular is the error for a directory, pipe or device, reading which could
	// block forever or never end.
	ErrNotRegular = errors.New("it is not a regular file")
	// ErrTooLong is the error for a file that is longer than the limit.
	ErrTooLong = errors.New("it is too long")
	// ErrUTF16 is the error for a text that isn't UTF-8, as some Windows tools write it.
	ErrUTF16 = errors.New("it is UTF-16 text; save it as UTF-8")
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
		if err := checkTrusted(f, info); err != nil {
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
	return read(f, err, limit, func(info fs.FileInfo) error { return checkPrivate(f, info) })
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

// Text returns a text without its byte order mark. The error is ErrUTF16, also for text in
// UTF-16 without a mark, of which the first two bytes tell: no other text has a NUL there.
func Text(content []byte) ([]byte, error) {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(content, []byte(mark)) {
			return nil, ErrUTF16
		}
	}
	if len(content) > 1 && (content[0] == 0) != (content[1] == 0) {
		return nil, ErrUTF16
	}
	return TrimBOM(content), nil
}

// Bare removes the path from an error: it may be that of a temporary file, or behind a
// symbolic link. It removes the full stop of Windows' texts, too.
func Bare(err error) error {
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		err = failed.Err
	} else if failed, ok := errors.AsType[*os.LinkError](err); ok {
		err = failed.Err
	}
	if err != nil && strings.HasSuffix(err.Error(), ".") {
		return part{err}
	}
	return err
}

// A part is an error of Windows, whose texts are whole sentences, as the part of another
// sentence.
type part struct{ error }

func (p part) Error() string { return strings.TrimSuffix(p.error.Error(), ".") }

// Unwrap returns the error.
func (p part) Unwrap() error { return p.error }

// What checkPrivate and checkTrusted find.
var (
	errForeign  = untrusted(fault.FileForeign, "it belongs to another user")
	errReadable = untrusted(fault.FileOpen, "other users have access to it")
	errWritable = untrusted(fault.FileOpen, "other users can write to it")
)

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
// leaves it. Letters of rand.Text follow.
const (
	tempPrefix  = "tmp-"
	tempLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
)

// Write replaces a private file (mode 0600) in dir, whole or not at all. A durable file
// is on the disk when Write returns, at the cost of a sync; another may be lost with the
// power, but is never half written.
func Write(dir *os.Root, name string, content []byte, durable bool) error {
	temp, err := writeTemp(dir, tempPrefix, content, attributes{mode: 0o600, sync: durable})
	if err == nil {
		err = whenFree(func() error { return dir.Rename(temp, name) })
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

// Remove deletes a file, or an empty directory.
func Remove(dir *os.Root, name string) error {
	return Bare(whenFree(func() error { return dir.Remove(name) }))
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
	if info, failed := f.Stat(); failed == nil {
		sweepTemp(dir, prefix, name, info.ModTime())
	}
	return name, errors.Join(err, f.Close())
}

// Temporary files of killed writers are deleted by the next writer after an hour, which no
// writer takes, and only so many at once that no user waits for it.
const (
	sweepAfter  = time.Hour
	sweepAtMost = 100
)

// sweepTemp deletes what killed writers have left in dir. The file that has just been
// written tells what such names look like, and the file system's time.
func sweepTemp(dir *os.Root, prefix, written string, now time.Time) {
	d, err := dir.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	swept := 0
	for _, name := range names {
		suffix, ok := strings.CutPrefix(name, prefix)
		if !ok || len(name) != len(written) || strings.Trim(suffix, tempLetters) != "" {
			continue
		}
		info, err := dir.Lstat(name)
		if err != nil || !info.Mode().IsRegular() || now.Sub(info.ModTime()) < sweepAfter {
			continue
		}
		_ = dir.Remove(name)
		if swept++; swept == sweepAtMost {
			return
		}
	}
}

// SyncDir makes a rename in dir durable. Not every system can, and none needs it to be
// consistent.
func SyncDir(dir *os.Root) {
	if d, err := dir.Open("."); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
