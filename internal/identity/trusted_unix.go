//go:build unix

package identity

import (
	"io/fs"
	"os"
	"syscall"
)

// notTrusted says why a config file could be somebody else's word; "" if not.
func notTrusted(info fs.FileInfo) string {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return "it belongs to another user"
	}
	if info.Mode().Perm()&0o022 != 0 {
		return "other users can write to it"
	}
	return ""
}
