package keystore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

// A keyFile has the key in a file that only its owner can read: it is no better than that
// file's mode, and used on request only. Unlike the other backends it works without a
// desktop session and after a restart.
type keyFile struct{ path string }

// maxKeyFile is more than a key, which has 45 bytes.
const maxKeyFile = 1 << 10

// Key trusts the file only if no other user can have read or placed it.
func (f keyFile) Key(context.Context) ([]byte, error) {
	if f.path == "" {
		return nil, errors.New("there is no directory for it")
	}
	dir, err := os.OpenRoot(filepath.Dir(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, safefile.Bare(err)
	}
	defer dir.Close()
	text, err := safefile.ReadPrivate(dir, filepath.Base(f.path), maxKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, safefile.ErrUntrusted):
		return nil, fmt.Errorf("%w (run: chmod 600 %s, as its owner)", err, f.path)
	case err != nil && !errors.Is(err, safefile.ErrTooLong):
		return nil, err
	}
	key := decode(string(text))
	if err != nil || len(key) != KeySize {
		return nil, fmt.Errorf("%w (to give up what another key has encrypted, run: rm %s)", errNotKey, f.path)
	}
	return key, nil
}

// Create creates the whole file at once: of two processes that do, one wins, and no reader
// sees half a key.
func (f keyFile) Create(_ context.Context, key []byte) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return safefile.Bare(err)
	}
	dir, err := os.OpenRoot(filepath.Dir(f.path))
	if err != nil {
		return safefile.Bare(err)
	}
	defer dir.Close()
	return safefile.WriteNew(dir, filepath.Base(f.path), []byte(encode(key)+"\n"))
}

func (f keyFile) Delete(context.Context) error {
	dir, err := os.OpenRoot(filepath.Dir(f.path))
	if err != nil {
		return safefile.Bare(err)
	}
	defer dir.Close()
	defer safefile.SyncDir(dir)
	return safefile.Bare(dir.Remove(filepath.Base(f.path)))
}
