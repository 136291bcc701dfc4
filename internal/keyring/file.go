package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
)

// fileHome keeps the key in a file that only its owner can read: no better
// than that file's mode, and used on request only. Unlike the other homes it
// is there on a headless machine and after a restart.
type fileHome struct{ path string }

func (fileHome) name() string    { return "file" }
func (h fileHome) title() string { return "the key file " + h.path }

// read trusts the file only when nobody else can have read or placed it.
func (h fileHome) read(context.Context) ([]byte, error) {
	if h.path == "" {
		return nil, unavailable("the key file", errNoPlace)
	}
	dir, err := os.OpenRoot(filepath.Dir(h.path))
	if err != nil {
		return nil, h.fault(err)
	}
	defer dir.Close()
	f, err := h.open(dir)
	if err != nil {
		return nil, h.fault(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<10)) // a key is 45 bytes; the file may be anything
	if err != nil {
		return nil, h.fault(err)
	}
	key, err := decode(h.title(), string(text))
	if err != nil {
		err = fmt.Errorf("%w (to go on without what another key has sealed, run: rm %s)", err, h.path)
	}
	return key, err
}

// open looks before it opens, since opening a pipe blocks, and looks again
// after, since what lies there may have changed hands.
func (h fileHome) open(dir *os.Root) (*os.File, error) {
	name := filepath.Base(h.path)
	seen, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !os.SameFile(seen, opened) {
		err = errors.New("it changed while being opened")
	}
	if err == nil {
		if why := owner.Private(opened); why != "" {
			err = errors.New(why + " (run: chmod 600 " + h.path + ", as its owner)")
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// write makes the whole file under another name and links it to its own: link
// refuses a name that is taken, so of two makers one wins, and no reader sees
// half a key.
func (h fileHome) write(_ context.Context, key []byte) error {
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return unavailable(h.title(), err)
	}
	dir, err := os.OpenRoot(filepath.Dir(h.path))
	if err != nil {
		return unavailable(h.title(), err)
	}
	defer dir.Close()
	name := filepath.Base(h.path)
	temp := "." + name + "." + rand.Text()
	defer dir.Remove(temp)
	if err := writeNew(dir, temp, encode(key)+"\n"); err != nil {
		return unavailable(h.title(), err)
	}
	err = dir.Link(temp, name)
	if errors.Is(err, fs.ErrExist) {
		return nil // the other's key stands, and is read back
	}
	if err != nil {
		err = dir.Rename(temp, name) // FAT and some network disks have no links; the lock must do
	}
	if err != nil {
		return unavailable(h.title(), err)
	}
	syncDir(dir)
	return nil
}

func (h fileHome) remove(context.Context) error {
	dir, err := os.OpenRoot(filepath.Dir(h.path))
	if err != nil {
		return h.fault(err)
	}
	defer dir.Close()
	if err := dir.Remove(filepath.Base(h.path)); err != nil {
		return h.fault(err)
	}
	syncDir(dir)
	return nil
}

func writeNew(dir *os.Root, name, text string) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err == nil {
		err = f.Sync() // what the key seals must not survive a power cut that the key doesn't
	}
	return errors.Join(err, f.Close())
}

// syncDir makes the new name last; where directories can't be synced there is
// nothing better to do.
func syncDir(dir *os.Root) {
	if d, err := dir.Open("."); err == nil {
		d.Sync()
		d.Close()
	}
}

var errNoPlace = errors.New("there is no directory to keep it in")

func (h fileHome) fault(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s %w", h.title(), ErrNotFound)
	}
	return unavailable(h.title(), err)
}
