package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

// canMake knows nothing: making a directory tells.
func canMake(string) error { return nil }

// makePrivate makes a directory, and those above it, that only the user, administrators and
// the system can enter, wherever it is: folders below C:\ let every user in. What is made
// in it inherits that.
func makePrivate(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return err
	}
	// O: the owner; D:P a list that inherits nothing; OICI: files and directories in it
	// inherit it; FA: everything; SY the system, BA administrators.
	sd, err := windows.SecurityDescriptorFromString(fmt.Sprintf(
		"O:%[1]sD:P(A;OICI;FA;;;%[1]s)(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)", user.User.Sid))
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	attributes := windows.SecurityAttributes{SecurityDescriptor: sd}
	attributes.Length = uint32(unsafe.Sizeof(attributes))
	err = windows.CreateDirectory(name, &attributes)
	if errors.Is(err, fs.ErrExist) {
		return nil // another process was faster
	}
	return err
}
