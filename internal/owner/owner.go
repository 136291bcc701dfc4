// Package owner says to whom a file belongs and whom its mode admits. Keys,
// vaults and config files are only used where nobody else can have had a hand in
// them, as ssh does with its own.
package owner

import (
	"fmt"
	"io/fs"
	"os"
)

// Private says why others could have read or written a file; "" if they can't.
// Windows has nothing to check: what lies in a user's directories inherits an
// access list that admits the user, administrators and the system.
func Private(info fs.FileInfo) string {
	switch uid, known := of(info); {
	case !known:
		return ""
	case uid != os.Geteuid():
		return "it belongs to another user"
	case info.Mode().Perm()&0o077 != 0:
		return "it is open to other users"
	}
	return ""
}

// Mine says whether a file belongs to whoever runs this program, as far as the
// system lets one know.
func Mine(info fs.FileInfo) bool {
	uid, known := of(info)
	return !known || uid == os.Geteuid()
}

// Trusted says why a file could be the word of somebody else than its reader or
// root; "" if it can't be.
func Trusted(info fs.FileInfo) string {
	switch uid, known := of(info); {
	case !known:
		return ""
	case uid != 0 && uid != os.Geteuid():
		return "it belongs to another user"
	case info.Mode().Perm()&0o022 != 0:
		return "other users can write to it"
	}
	return ""
}

// maxFile is far above a config file of thousands of registries.
const maxFile = 1 << 20

// ReadRegular reads a file of other people's. Anything but a regular file could
// keep us waiting for ever, and a huge one is nothing that they meant.
func ReadRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, &fs.PathError{Op: "reading", Path: path, Err: fmt.Errorf("it is not a regular file of at most %d bytes", maxFile)}
	}
	return os.ReadFile(path)
}
