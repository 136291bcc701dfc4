package keyspace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Name returns the keyspace of a backend's key. The id is a hash with a prefix of its
// own, so it says nothing about the key.
func Name(backend string, key []byte) string {
	sum := sha256.Sum256(append([]byte("docker-credential-acr key id\n"), key...))
	return backend + "-" + hex.EncodeToString(sum[:8])
}

// Backend returns the backend in a keyspace's name; "" for other directories.
func Backend(name string) string {
	backend, id, _ := strings.Cut(name, "-")
	if len(id) != 16 {
		return ""
	}
	return backend
}

// A Dir is the vault's directory, opened once for one operation. It is not safe for many
// goroutines.
type Dir struct {
	root   *os.Root
	opened map[string]*os.Root // keyspaces; "" for the directory itself
}

// Open opens the vault's directory. The error wraps fs.ErrNotExist where there is none;
// it is a fault.LoginVault where other users can reach it, along with which the Dir may still
// be used to list and delete.
func Open(dir string) (*Dir, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &Dir{root, map[string]*os.Root{"": root}}
	if err := safefile.CheckPrivate(root); err != nil {
		return d, notPrivate("the vault", dir, err)
	}
	return d, nil
}

func notPrivate(what, dir string, err error) error {
	return &fault.Error{
		Code: fault.LoginVault, Object: text.Quote(dir),
		Reason: fmt.Sprintf("%s %s can't be used: %v", what, dir, err), Cause: err,
	}
}

// Close releases the directory.
func (d *Dir) Close() {
	for _, space := range d.opened {
		space.Close()
	}
}

// open opens a keyspace once.
func (d *Dir) open(keyspace string) (*os.Root, error) {
	if space := d.opened[keyspace]; space != nil {
		return space, nil
	}
	space, err := d.root.OpenRoot(keyspace)
	if err == nil {
		d.opened[keyspace] = space
	}
	return space, err
}

// Names returns the names of the files in a keyspace or in a directory of it; with "", of the keyspaces and what else
// is in the vault's directory. A keyspace that doesn't exist has none. The error is a
// fault.LoginVault.
func (d *Dir) Names(keyspace string) (names []string, err error) {
	space, err := d.open(keyspace)
	if err == nil {
		var dir *os.File
		if dir, err = space.Open("."); err == nil {
			names, err = dir.Readdirnames(-1)
			dir.Close()
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, notPrivate("the vault", filepath.Join(d.root.Name(), keyspace), safefile.Bare(err))
	}
	slices.Sort(names) // so that what is listed has the same order every time
	return names, nil
}

// Read reads one entry. The error wraps fs.ErrNotExist where there is none, and is a
// fault.LoginDamaged where another user could have written it.
func (d *Dir) Read(keyspace, name string) (File, error) {
	content, err := d.ReadPlain(keyspace, name)
	if err != nil {
		return File{}, err
	}
	f, err := Parse(name, content)
	f.Keyspace = keyspace
	return f, err
}

// ReadPlain reads a file that isn't sealed, as Read does.
func (d *Dir) ReadPlain(keyspace, name string) ([]byte, error) {
	dir, base := path.Split(name)
	space, err := d.open(path.Join(keyspace, dir))
	if err != nil {
		return nil, err
	}
	content, err := safefile.ReadPrivate(space, base, MaxFile)
	switch {
	case errors.Is(err, safefile.ErrUntrusted):
		return nil, &fault.Error{
			Code: fault.LoginDamaged, Object: text.Quote(filepath.Join(d.root.Name(), keyspace, name)),
			Reason: "its file can't be trusted: " + err.Error(), Cause: err,
		}
	case errors.Is(err, safefile.ErrNotRegular), errors.Is(err, safefile.ErrTooLong):
		return nil, errDamaged
	}
	return content, err
}

// Write replaces a file, whole or not at all. A durable file is on the disk when Write
// returns, because a lost login can't be replaced; a token can.
func (d *Dir) Write(keyspace, name string, content []byte, durable bool) error {
	dir, base := path.Split(name)
	space, err := d.make(keyspace)
	if err == nil && dir != "" {
		space, err = d.make(path.Join(keyspace, dir))
	}
	if err != nil {
		return err
	}
	if err := safefile.Write(space, base, content, durable); err != nil {
		return err
	}
	if durable {
		safefile.SyncDir(d.root) // the keyspace may be new
	}
	return nil
}

// make opens a directory, and creates it if there is none.
func (d *Dir) make(name string) (*os.Root, error) {
	switch err := d.root.Mkdir(name, 0o700); {
	case err == nil:
		delete(d.opened, name) // another process has deleted the directory that was opened
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	return d.open(name)
}

// Remove deletes a file, or an empty directory of a keyspace; with "", an empty keyspace.
func (d *Dir) Remove(keyspace, name string) error {
	return safefile.Remove(d.root, path.Join(keyspace, name))
}

// Stat describes a file without opening it.
func (d *Dir) Stat(keyspace, name string) (fs.FileInfo, error) {
	return d.root.Lstat(path.Join(keyspace, name))
}

// fetchTime is how much of a get's time a fetch may need; waiting for another process's
// fetch ends early enough to leave it.
const fetchTime = 15 * time.Second

// Waiting begins with short pauses, because most fetches take a tenth of a second, and
// goes on with longer ones, because hundreds of processes may wait.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 80 * time.Millisecond
)

// ErrNotNeeded is Lock's error where the lock is no longer needed.
var ErrNotNeeded = errors.New("another process has done it")

// Lock takes a lock between processes, and between goroutines, with a file in dir. It
// gives up with ErrNotNeeded when isDone reports true, and with a fault.Busy when time
// runs short; a nil isDone is always false. Lock files are never deleted: a process could
// hold the lock of a file that another one can no longer see.
func Lock(ctx context.Context, dir, name string, isDone func() bool) (unlock func(), err error) {
	if err := safefile.MakePrivate(dir); err != nil {
		return nil, notPrivate("the lock directory", dir, err)
	}
	lock := flock.New(filepath.Join(dir, name+".lock"), flock.SetPermissions(0o600),
		flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NONBLOCK)) // opening a pipe would wait for its writer
	if deadline, ok := ctx.Deadline(); ok { // leave a fetch its time; of a short time, half
		left := time.Until(deadline)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, max(left-fetchTime, left/2))
		defer cancel()
	}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		switch ok, err := lock.TryLock(); {
		case err != nil:
			return nil, err
		case ok:
			return func() { _ = lock.Unlock() }, nil
		case isDone != nil && isDone():
			return nil, ErrNotNeeded
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, &fault.Error{
				Code: fault.Busy, Reason: "another docker-credential-acr process is still running", Cause: ctx.Err(),
			}
		}
	}
}
