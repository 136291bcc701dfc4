//go:build unix

package safefile

import (
	"io/fs"
	"os"
	"syscall"
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
// of a directory. In a sticky directory, such as /tmp, only an entry's owner can. A group
// with the number of the directory's owner has no other members, where each user has a
// group of their own.
func checkDir(dir string, entry fs.FileInfo) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return Bare(err)
	}
	uid, _ := owner(info)
	entryOwner, _ := owner(entry)
	writers := info.Mode().Perm() & 0o022
	if gid := group(info); gid == uid && gid != 0 {
		writers &^= 0o020
	}
	switch {
	case !isTrusted(uid):
		return foreignDir(dir)
	case writers == 0, info.Mode()&fs.ModeSticky != 0 && isTrusted(entryOwner):
		return nil
	}
	return writableDir(dir)
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
