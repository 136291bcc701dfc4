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
		// Windows' junctions are irregular; other irregular files, as of OneDrive, are no links.
		target, err := "", error(nil)
		switch info.Mode().Type() {
		case fs.ModeSymlink:
			target, err = os.Readlink(next)
		case fs.ModeIrregular:
			target, _ = os.Readlink(next)
		}
		if target != "" {
			links++
		}
		if links > maxLinks {
			err = errors.New("too many symbolic links")
		}
		switch {
		case err != nil:
			return Bare(err)
		case target == "":
			dir = next
		default:
			if filepath.IsAbs(target) {
				dir = filepath.VolumeName(target) + string(filepath.Separator)
			}
			rest = append(split(target[len(filepath.VolumeName(target)):]), rest...)
		}
	}
	return nil
}

func split(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}

// foreignDir and writableDir are errors whose advice is about the directory, not about the
// file in it.
func foreignDir(dir string) error {
	return untrustedDir(fault.FileForeign, dir, "the directory "+dir+" belongs to another user")
}

func writableDir(dir string) error {
	return untrustedDir(fault.FileOpen, dir, "other users can write to the directory "+dir)
}

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
