package keystore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A keyFile has the key in a file that only its owner can read: it is no better than that
// file's mode, and used on request only. Unlike the other backends it works without a
// desktop session and after a restart.
type keyFile struct{ path string }

func openKeyFile(s Settings) (b *bounded, ok bool) {
	return newBounded(keyFile{s.KeyFile}, File, strings.TrimSpace("the key file "+s.KeyFile), 0), true
}

// maxKeyFile is more than a key, which has 45 bytes.
const maxKeyFile = 1 << 10

// Key trusts the file only if no other user can have read or placed it.
func (f keyFile) Key(context.Context) ([]byte, error) {
	if f.path == "" {
		return nil, fault.New(fault.VaultNoPlace, "there is no directory for it")
	}
	dir, err := os.OpenRoot(filepath.Dir(f.path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, safefile.Denied(filepath.Dir(f.path), safefile.Bare(err))
	}
	defer dir.Close()
	content, err := safefile.ReadPrivate(dir, filepath.Base(f.path), maxKeyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, safefile.ErrUntrusted):
		return nil, f.fail(fault.CodeOf(err), err)
	case err != nil && !errors.Is(err, safefile.ErrTooLong):
		return nil, f.fail(fault.KeyFile, err)
	}
	key := decode(string(safefile.TrimBOM(content)))
	if err != nil || len(key) != KeySize {
		return nil, f.fail(fault.KeyFile, errNotKey)
	}
	return key, nil
}

// fail returns an error whose advice names the file.
func (f keyFile) fail(code fault.Code, err error) error {
	return &fault.Error{Code: code, Reason: err.Error(), Object: text.Quote(f.path), Cause: err}
}

// Create creates the whole file at once: of two processes that do, one wins, and no reader
// sees half a key.
func (f keyFile) Create(_ context.Context, key []byte) error {
	if err := safefile.MakeDir(filepath.Dir(f.path)); err != nil {
		return err
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
