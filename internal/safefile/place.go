package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// MakeDir makes a private directory, and those above it, but nothing below a directory
// that belongs to another user: root with that user's HOME (sudo -E) would lock them out.
func MakeDir(path string) error {
	if err := CheckPlace(path); err != nil {
		return err
	}
	return Bare(makePrivate(path))
}

// MakePrivate makes a directory as MakeDir does. If there was one, and other users could
// have read or written in it, the error wraps ErrUntrusted.
func MakePrivate(path string) error {
	if err := MakeDir(path); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return Bare(err)
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return Bare(err)
	}
	defer dir.Close()
	if opened, err := dir.Stat("."); err != nil || !os.SameFile(info, opened) {
		return errors.New("it is a symbolic link, not a directory")
	}
	return CheckPrivate(dir)
}

// CheckPrivate returns an error, which wraps ErrUntrusted, if other users could have read
// or written in a directory.
func CheckPrivate(dir *os.Root) error {
	f, err := dir.Open(".")
	if err != nil {
		return Bare(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Bare(err)
	}
	err = checkPrivate(f, info)
	if fault.Is(err, fault.FileForeign) {
		e := ForeignDir(dir.Name(), info)
		e.Cause = ErrUntrusted
		return e
	}
	if fault.Is(err, fault.FileOpen) && hasNoModes(dir) {
		return untrusted(fault.FileNoModes,
			"its file system does not support permissions, so other users may have access to it")
	}
	return err
}

// hasNoModes reports whether a file system shows modes of its own whatever a file was made
// with, as Windows disks do in WSL, and FAT: then chmod changes nothing. It makes an empty
// file in the directory for a moment.
func hasNoModes(dir *os.Root) bool {
	if runtime.GOOS == "windows" { // where access lists count, and modes say nothing
		return false
	}
	name, err := writeTemp(dir, tempPrefix, nil, attributes{mode: 0o600})
	defer dir.Remove(name)
	info, failed := dir.Stat(name)
	return err == nil && failed == nil && info.Mode().Perm()&0o077 != 0
}

// CheckPlace returns why MakeDir could not make a directory, as far as that is known
// without making one; nil if it could, and if there is one. The error names the directory
// that is in the way, and its owner.
func CheckPlace(path string) error {
	dir, info, err := nearest(path)
	if err != nil {
		return err
	}
	switch uid, known := owner(info); {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case known && !isTrusted(uid):
		return denied(dir, info, errors.New("this program creates nothing there"))
	case dir == filepath.Clean(path):
		return nil
	}
	if err := canMake(dir); err != nil {
		return denied(dir, info, err)
	}
	return nil
}

// Denied explains an error about a path: where another user's directory denied permission,
// the error names that directory, and has a code.
func Denied(path string, err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	dir, info, failed := nearest(path)
	if failed != nil || IsOwn(info) {
		return err
	}
	return denied(dir, info, Bare(err))
}

// nearest returns the path itself, or else the closest directory above it that this user
// can see.
func nearest(path string) (string, fs.FileInfo, error) {
	for path = filepath.Clean(path); ; path = filepath.Dir(path) {
		info, err := os.Stat(path)
		if err == nil || path == filepath.Dir(path) {
			return path, info, Bare(err)
		}
	}
}

// denied is the error for a directory that can't be used.
func denied(dir string, info fs.FileInfo, why error) error {
	if IsOwn(info) {
		return fmt.Errorf("%s: %w", dir, why)
	}
	e := ForeignDir(dir, info)
	e.Reason, e.Cause = fmt.Sprintf("%s belongs to %s: %v", dir, ownerName(info), why), why
	return e
}

// ForeignDir is the error for a directory of another user. Its code depends on whether it
// is good advice to take the directory over: one that root has made in the user's own
// directory, not one of the system's.
func ForeignDir(dir string, info fs.FileInfo) *fault.Error {
	e := &fault.Error{Code: fault.FileForeign, Object: text.Quote(dir), Reason: "it belongs to " + ownerName(info)}
	above, err := os.Stat(filepath.Dir(dir))
	if err == nil && IsOwn(above) && os.Geteuid() != 0 {
		e.Code = fault.FileDenied
	}
	return e
}

// ownerName names the owner of a file, in a user namespace as it appears there.
func ownerName(info fs.FileInfo) string {
	uid, known := owner(info)
	if !known {
		return "another user"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return fmt.Sprintf("user %d", uid)
}

// OwnHome returns the home directory of the user who runs the program, as the password
// database has it; "" for none.
func OwnHome() string {
	u, err := user.LookupId(strconv.Itoa(os.Geteuid()))
	if err != nil || !filepath.IsAbs(u.HomeDir) {
		return ""
	}
	if info, err := os.Stat(u.HomeDir); err != nil || !info.IsDir() {
		return ""
	}
	return u.HomeDir
}

// IsForeign reports whether a path, or the closest directory above it that exists, belongs
// to a user other than the one who runs the program and root.
func IsForeign(path string) bool {
	_, info, err := nearest(path)
	if err != nil {
		return false
	}
	uid, known := owner(info)
	return known && !isTrusted(uid)
}

// InUserNamespace reports whether the program runs in a user namespace of its own, as
// rootless Podman's and Buildah's helpers do: the kernel keyrings there are others, and
// most users have no number there.
func InUserNamespace() bool {
	content, err := Read("/proc/self/uid_map", MaxText)
	return err == nil && strings.Join(strings.Fields(string(content)), " ") != "0 0 4294967295"
}
