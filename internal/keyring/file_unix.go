//go:build unix

package keyring

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private refuses a key that others could have read or planted, as ssh does
// with its keys.
func private(info fs.FileInfo, path string) error {
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("it is open to other users (run: chmod 600 %s)", path)
	}
	return nil
}
