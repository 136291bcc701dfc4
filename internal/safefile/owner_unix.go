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
