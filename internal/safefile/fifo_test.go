//go:build unix

package safefile

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRead_pipe must end: opening a pipe waits for its writer.
func TestRead_pipe(t *testing.T) {
	path, dir := openRoot(t)
	pipe := filepath.Join(path, "pipe")
	check(t, syscall.Mkfifo(pipe, 0o600))
	if _, err := ReadTrusted(pipe, 10); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
	if _, err := ReadPrivate(dir, "pipe", 10); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
}
