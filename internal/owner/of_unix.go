//go:build unix

package owner

import (
	"io/fs"
	"os"
	"syscall"
)

func of(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, true // a stranger, rather than nobody
	}
	return int(stat.Uid), true
}

// KeepGroup gives a file to the group that another one belongs to.
func KeepGroup(f *os.File, of fs.FileInfo) error {
	stat, ok := of.Sys().(*syscall.Stat_t)
	if !ok {
		return fs.ErrInvalid
	}
	return f.Chown(-1, int(stat.Gid))
}
