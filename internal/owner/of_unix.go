//go:build unix

package owner

import (
	"io/fs"
	"syscall"
)

func of(info fs.FileInfo) (uid int, known bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1, true // a stranger, rather than nobody
	}
	return int(stat.Uid), true
}
