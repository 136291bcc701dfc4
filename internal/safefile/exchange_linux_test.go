package safefile

import "golang.org/x/sys/unix"

// exchange exchanges two files in one step.
func exchange(a, b string) {
	_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
}
