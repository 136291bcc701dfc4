//go:build unix && !linux

package safefile

import "os"

// exchange exchanges two files.
func exchange(a, b string) {
	_ = os.Rename(a, a+".moved")
	_ = os.Rename(b, a)
	_ = os.Rename(a+".moved", b)
}
