package sealed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
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

var errSettled = errors.New("another process has settled it")

// ErrWaited says that somebody else holds the lock for too long.
var ErrWaited = errors.New("the lock is held by another process for too long")

// Lock takes a lock between processes, and between goroutines, by a file in dir.
// It gives up when settled says that the lock is no longer needed, or when time
// runs short; a nil settled says never. Lock files are never deleted: a process
// could hold the lock of a file that another one can no longer see.
func Lock(ctx context.Context, dir, name string, settled func() bool) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	if why := owner.Private(info); why != "" || !info.IsDir() {
		return nil, fmt.Errorf("the directory of locks %s is not used: %s", dir, why)
	}
	lock := flock.New(filepath.Join(dir, name+".lock"), flock.SetPermissions(0o600))
	ctx, cancel := shortened(ctx)
	defer cancel()
	for look := firstLook; ; look = min(2*look, lastLook) {
		switch ok, err := lock.TryLock(); {
		case err != nil:
			return nil, err
		case ok:
			return func() { _ = lock.Unlock() }, nil
		case settled != nil && settled():
			return nil, errSettled
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return nil, ErrWaited
		}
	}
}

// shortened leaves a fetch the time it needs before the deadline; of a short
// time, half.
func shortened(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, max(left-fetchNeeds, left/2))
}
