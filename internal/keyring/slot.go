package keyring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A slot is a home with the time it may cost. go-keyring can't be cancelled,
// so the work runs in a goroutine of its own that is left behind when the time
// is over; it may then hold a lock inside godbus, which is one more reason to
// never use that home again.
type slot struct {
	home
	limit time.Duration // 0: the home can't hang, and runs in the caller's goroutine

	once sync.Once
	dead chan struct{} // closed when the home has timed out
}

type outcome struct {
	key []byte
	err error
}

// bound runs work within the slot's limit, or as long as ctx allows if that is
// less, and calls after once work has ended, however late. Calls side by side
// share the limit: when the first has used it up, all of them return.
//
// A caller whose ctx ends says nothing about the home, so work goes on without
// it, and only the limit's end makes the home dead.
func (s *slot) bound(ctx context.Context, work func(context.Context) ([]byte, error), after func()) ([]byte, error) {
	if s.isDead() {
		after()
		return nil, s.timedOut()
	}
	if err := ctx.Err(); err != nil {
		after()
		return nil, unavailable(s.title(), err)
	}
	if s.limit == 0 {
		defer after()
		return work(ctx)
	}
	ended := make(chan outcome, 1) // buffered: a late result is dropped, its goroutine ends
	go func() {
		defer after()
		within, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		timer := time.AfterFunc(s.limit, func() { s.kill(); cancel() })
		defer timer.Stop()
		key, err := work(within)
		ended <- outcome{key, err}
	}()
	select {
	case o := <-ended:
		if o.err != nil && s.isDead() {
			return nil, s.timedOut() // truer than whatever its cancelling looked like
		}
		return o.key, o.err
	case <-s.dead:
		return nil, s.timedOut()
	case <-ctx.Done():
		return nil, unavailable(s.title(), ctx.Err())
	}
}

// create looks for the key and, where there is none, writes one and reads it
// back. Its caller holds the home's lock.
func (s *slot) create(ctx context.Context) ([]byte, error) {
	key, err := s.read(ctx)
	if !errors.Is(err, ErrNotFound) {
		return key, err
	}
	if err := s.write(ctx, newKey()); err != nil {
		return nil, err
	}
	key, err = s.read(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%s %w: it does not keep what is written", s.title(), ErrUnavailable)
	}
	return key, err
}

// destroy removes the key that there is, and looks whether it is gone. Its caller
// holds the home's lock.
func (s *slot) destroy(ctx context.Context) ([]byte, error) {
	if _, err := s.read(ctx); err != nil {
		return nil, err
	}
	if err := s.remove(ctx); err != nil {
		return nil, err
	}
	switch _, err := s.read(ctx); {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return nil, fmt.Errorf("%s %w: it still holds a key", s.title(), ErrUnavailable)
}

func (s *slot) kill() { s.once.Do(func() { close(s.dead) }) }

func (s *slot) isDead() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}

func (s *slot) timedOut() error {
	return fmt.Errorf("%s %w: no answer within %v", s.title(), ErrUnavailable, s.limit)
}
