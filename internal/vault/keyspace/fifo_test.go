//go:build unix

package keyspace_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// TestLock_of_a_pipe has a pipe in the place of the lock file. Opening it must not wait for a writer that never comes.
func TestLock_of_a_pipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "a.lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		unlock, err := keyspace.Lock(ctx, dir, "a", nil)
		if err == nil {
			unlock()
		}
		ended <- err
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a writer")
	}
}
