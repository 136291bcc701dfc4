package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// A fetch may need this much of the time that a get has; waiting for somebody
// else's fetch ends early enough to leave it.
const fetchNeeds = 15 * time.Second

// Waiting begins with short looks, because most fetches take a tenth of a
// second, and becomes patient, because hundreds may wait.
const (
	firstLook = 5 * time.Millisecond
	lastLook  = 80 * time.Millisecond
)

var (
	errSettled = errors.New("another process has settled it")
	errWaited  = errors.New("the lock is held by another process for too long")
)

// lockFile takes a lock between processes, and between goroutines. It gives up
// when settled says that the lock is no longer needed, or when time runs short.
// Lock files are never deleted: a process could hold the lock of a file that
// another one can no longer see.
func (v *Vault) lockFile(ctx context.Context, name string, settled func() bool) (unlock func(), err error) {
	root, err := v.create()
	if err != nil {
		return nil, err
	}
	root.Close()
	dir := filepath.Join(v.Dir, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, name+".lock"))
	ctx, cancel := shortened(ctx)
	defer cancel()
	for look := firstLook; ; look = min(2*look, lastLook) {
		switch ok, err := lock.TryLock(); {
		case err != nil:
			return nil, err
		case ok:
			return func() { _ = lock.Unlock() }, nil
		case settled():
			return nil, errSettled
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return nil, errWaited
		}
	}
}

// shortened leaves a fetch the time it needs before the deadline.
func shortened(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-fetchNeeds))
}

// lockName maps entries to 4,096 locks, so that the directory of locks can't
// grow for ever. Two entries that share one now and then wait for each other.
func lockName(name string) string { return name[:3] }
