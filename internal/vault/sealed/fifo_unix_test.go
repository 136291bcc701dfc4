//go:build unix

package sealed_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// TestAFIFOIsNoEntry has to end: whoever opens one waits for somebody to write.
func TestAFIFOIsNoEntry(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.token"), 0o600); err != nil {
		t.Skip("there are no FIFOs here: ", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := sealed.Read(root, "a.token"); !errors.Is(err, sealed.ErrDamaged) {
		t.Error(err)
	}
}
