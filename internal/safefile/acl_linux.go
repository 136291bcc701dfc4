package safefile

import (
	"errors"

	"golang.org/x/sys/unix"
)

// hasACL reports whether a directory has an access list, of which the group's mode is only
// the upper limit (acl(5)).
func hasACL(dir string) bool {
	_, err := unix.Lgetxattr(dir, "system.posix_acl_access", nil)
	return err == nil || !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.ENOTSUP)
}
