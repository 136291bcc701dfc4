//go:build unix

package safefile

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

func owner(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, true // another user, to be safe
	}
	return int(stat.Uid), true
}

// checkPrivate returns an error, which wraps ErrUntrusted, if other users could have read
// or written a file.
func checkPrivate(_ *os.File, info fs.FileInfo) error {
	switch uid, _ := owner(info); {
	case uid != os.Geteuid():
		return errForeign
	case info.Mode().Perm()&0o077 != 0:
		return errReadable
	}
	return nil
}

// checkTrusted returns an error, which wraps ErrUntrusted, if a user other than the
// reader and root could have written a file.
func checkTrusted(_ *os.File, info fs.FileInfo) error {
	switch uid, _ := owner(info); {
	case !isTrusted(uid):
		return errForeign
	case info.Mode().Perm()&0o022 != 0:
		return errWritable
	}
	return nil
}

// checkDir returns an error if a user other than the reader and root can replace an entry
// of a directory, or has placed a symbolic link there. In a sticky directory, such as /tmp,
// only an entry's owner can.
func checkDir(dir string, entry fs.FileInfo) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return Bare(err)
	}
	uid, _ := owner(info)
	entryOwner, _ := owner(entry)
	writers := info.Mode().Perm() & 0o022
	if gid := group(info); writers == 0o020 && gid == uid && gid != 0 && !hasACL(dir) && isPrivate(gid, uid) {
		writers = 0
	}
	switch {
	case !isTrusted(uid):
		return foreignDir(dir)
	case entry.Mode().Type() == fs.ModeSymlink && !isTrusted(entryOwner):
		link := filepath.Join(dir, entry.Name())
		return untrustedDir(fault.FileForeign, link, "the link "+link+" belongs to another user")
	case writers == 0, info.Mode()&fs.ModeSticky != 0 && isTrusted(entryOwner):
		return nil
	}
	return writableDir(dir)
}

// isPrivate reports whether a user's group has no other members, as where each user has a
// group of their own. Users that are in no file of this computer's are not known.
func isPrivate(gid, uid int) bool {
	users, _ := os.ReadFile("/etc/passwd")
	groups, _ := os.ReadFile("/etc/group")
	return !hasOthers(string(users), string(groups), strconv.Itoa(gid), strconv.Itoa(uid))
}

// hasOthers reports whether a group has members other than a user: those whose own group it
// is, or whom it lists. A user who is in no file, as of a directory service, is taken to have
// the name of the group. (passwd(5), group(5).)
func hasOthers(users, groups, gid, uid string) bool {
	own := map[string]bool{"": true}
	for line := range strings.Lines(users) {
		fields := strings.Split(line, ":")
		switch {
		case len(fields) < 4:
		case fields[2] == uid:
			own[fields[0]] = true
		case fields[3] == gid:
			return true
		}
	}
	for line := range strings.Lines(groups) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 || fields[2] != gid {
			continue
		}
		for member := range strings.SplitSeq(fields[3], ",") {
			if !own[member] && (len(own) > 1 || member != fields[0]) {
				return true
			}
		}
	}
	return false
}

// group returns the group of a file; -1 for unknown.
func group(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return -1
}

// keepGroup gives a file to the group that another one belongs to.
func keepGroup(f *os.File, of fs.FileInfo) error {
	stat, ok := of.Sys().(*syscall.Stat_t)
	if !ok {
		return fs.ErrInvalid
	}
	return f.Chown(-1, int(stat.Gid))
}
