package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// checkWay returns an error, which wraps ErrUntrusted, if a user other than the reader
// and root could put another file in the place of this one, in any of the directories on
// the way to it.
func checkWay(path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	root := filepath.VolumeName(path) + string(filepath.Separator)
	dir, rest := root, split(path[len(root):])
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == ".." {
			dir = filepath.Dir(dir)
			continue
		}
		next := filepath.Join(dir, name)
		info, err := os.Lstat(next)
		if err != nil {
			return Bare(err)
		}
		if err := checkDir(dir, info); err != nil {
			return err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			dir = next
			continue
		}
		target, err := os.Readlink(next)
		if links++; err == nil && links > maxLinks {
			err = errors.New("too many symbolic links")
		}
		if err != nil {
			return Bare(err)
		}
		if filepath.IsAbs(target) {
			dir = root
		}
		rest = append(split(target), rest...)
	}
	return nil
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

// checkDir returns an error if a user other than the reader and root can replace an entry
// of a directory. In a sticky directory, such as /tmp, only an entry's owner can. A group
// with the number of the directory's owner has no other members, where each user has a
// group of their own.
func checkDir(dir string, entry fs.FileInfo) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return Bare(err)
	}
	uid, known := owner(info)
	if !known {
		return nil
	}
	entryOwner, _ := owner(entry)
	writers := info.Mode().Perm() & 0o022
	if gid := group(info); gid == uid && gid != 0 {
		writers &^= 0o020
	}
	switch {
	case !isTrusted(uid):
		return untrustedDir(fault.FileForeign, dir, "the directory "+dir+" belongs to another user")
	case writers == 0, info.Mode()&fs.ModeSticky != 0 && isTrusted(entryOwner):
		return nil
	}
	return untrustedDir(fault.FileOpen, dir, "other users can write to the directory "+dir)
}

// untrustedDir returns an error whose advice is about the directory, not about the file.
func untrustedDir(code fault.Code, dir, reason string) error {
	return &fault.Error{Code: code, Object: text.Quote(dir), Reason: reason, Cause: ErrUntrusted}
}

// isTrusted reports whether a user's files can be trusted: those of the user who runs the
// program, and root's.
func isTrusted(uid int) bool { return uid == 0 || uid == os.Geteuid() || isHiddenRoot(uid) }

// isHiddenRoot reports whether uid is how a user namespace without the system's root, such
// as rootless Podman's, shows files that belong to root: as those of the overflow user,
// who also seems to own / and /etc. (user_namespaces(7).)
func isHiddenRoot(uid int) bool {
	if uid == 0 || !rootIsUnmapped() {
		return false
	}
	for _, dir := range []string{"/", "/etc"} {
		info, err := os.Lstat(dir)
		if err != nil {
			return false
		}
		if owner, known := owner(info); !known || owner != uid {
			return false
		}
	}
	return true
}

// rootIsUnmapped reports whether the system's root has no number in this user namespace.
// Each line of the map has the first number inside, the first outside, and how many.
func rootIsUnmapped() bool {
	content, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(content)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[1] == "0" {
			return false
		}
	}
	return true
}
