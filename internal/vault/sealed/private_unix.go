//go:build unix

package sealed

import (
	"io/fs"
	"os"
	"syscall"
)

// NotPrivate says what is wrong with a file that another user could have
// written or could read; "" for nothing.
func NotPrivate(info fs.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != os.Geteuid() {
		return "belongs to another user"
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "is open to other users"
	}
	return ""
}
