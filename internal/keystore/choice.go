package keystore

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

// ChoiceName is the name of the file that records, beside the key file, which backend the
// user has chosen. It is a file of its own, so that a key file alone is never reason to
// use it.
const ChoiceName = "keyring"

// maxChoice is more than any backend's name.
const maxChoice = 64

// IsBackend reports whether a name is one that can be chosen once: none and auto are no
// backends.
func IsBackend(name string) bool { return slices.Contains([]string{OS, Kernel, File}, name) }

// Chosen returns the backend that the user has chosen for good, which Choose has recorded
// beside the key file; "" for none. A record that other users could have written is none,
// too.
func Chosen(keyFile string) string {
	dir, err := os.OpenRoot(filepath.Dir(keyFile))
	if keyFile == "" || err != nil {
		return ""
	}
	defer dir.Close()
	content, err := safefile.ReadPrivate(dir, ChoiceName, maxChoice)
	if name := strings.TrimSpace(string(content)); err == nil && IsBackend(name) {
		return name
	}
	return ""
}

// Choose records the user's choice of a backend beside the key file, in a directory that
// exists; "" deletes the record.
func Choose(keyFile, backend string) error {
	dir, err := os.OpenRoot(filepath.Dir(keyFile))
	if err != nil {
		return safefile.Bare(err)
	}
	defer dir.Close()
	if backend == "" {
		return safefile.Bare(dir.Remove(ChoiceName))
	}
	return safefile.Write(dir, ChoiceName, []byte(backend+"\n"), true)
}

// FileTime returns when a key file was made; the zero time where there is none.
func FileTime(keyFile string) time.Time {
	info, err := os.Lstat(keyFile)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
