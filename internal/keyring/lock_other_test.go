//go:build !unix || solaris || illumos || aix

package keyring

import (
	"os"
	"time"
)

func lockFile(path string) (unlock func(), err error) {
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() { f.Close(); os.Remove(path) }, nil
		}
		if !os.IsExist(err) && !os.IsPermission(err) { // Windows: a file being removed
			return nil, err
		}
		time.Sleep(time.Millisecond)
	}
}
