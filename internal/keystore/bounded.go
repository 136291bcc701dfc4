package keystore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// A bounded backend has a limited time, and is disabled once that is over. Not all work can
// be canceled, so it runs in a goroutine of its own, which is left behind then; it may hold
// a lock inside godbus, which is one more reason never to use that backend again.
type bounded struct {
	backend     backend
	name, title string
	timeout     time.Duration // 0: the backend can't hang, and runs in the caller's goroutine
	prompts     bool          // reading a locked backend asks the user, for as long as it may take

	disabled context.Context // ends when the backend has timed out
	disable  context.CancelFunc
}

func newBounded(b backend, name, title string, timeout time.Duration) *bounded {
	disabled, disable := context.WithCancel(context.Background())
	return &bounded{
		backend: b, name: name, title: title, timeout: timeout, disabled: disabled, disable: disable,
	}
}

// do runs work within the backend's timeout, or as long as ctx allows if that is less,
// and calls done when work has ended, however late. Calls at the same time share the
// timeout: when the first has used it up, all of them return. A caller that gives up
// earlier says nothing about the backend, so its ctx doesn't end the work.
func (b *bounded) do(ctx context.Context, work func(context.Context) ([]byte, error), done func()) ([]byte, error) {
	switch {
	case b.disabled.Err() != nil:
		done()
		return nil, b.timeoutError()
	case ctx.Err() != nil:
		done()
		return nil, b.unavailable(ctx.Err())
	case b.timeout == 0:
		defer done()
		return work(ctx)
	}
	type result struct {
		key []byte
		err error
	}
	results := make(chan result, 1) // buffered: a late result is dropped, and its goroutine ends
	go func() {
		defer done()
		defer time.AfterFunc(b.timeout, b.disable).Stop()
		// Work that can be canceled ends before its caller goes on, who may end the process
		// and leave a program behind.
		ctx, cancel := context.WithTimeout(b.disabled, b.timeout-b.timeout/10)
		defer cancel()
		key, err := work(ctx)
		if ctx.Err() != nil && !fault.Is(err, fault.KeyringLocked) {
			b.disable()
		}
		results <- result{key, err}
	}()
	select {
	case r := <-results:
		if r.err != nil && b.disabled.Err() != nil && !fault.Is(r.err, fault.KeyringLocked) {
			return nil, b.timeoutError() // more exact than what the cancellation looked like
		}
		return r.key, r.err
	case <-b.disabled.Done():
		return nil, b.timeoutError()
	case <-ctx.Done():
		return nil, b.unavailable(ctx.Err())
	}
}

// key reads the key; the error wraps ErrNotFound where there is none.
func (b *bounded) key(ctx context.Context) ([]byte, error) {
	key, err := b.backend.Key(ctx)
	switch {
	case err != nil:
		return nil, b.explain(err)
	case key == nil:
		return nil, fmt.Errorf("%s has %w", b.title, ErrNotFound)
	case len(key) != KeySize:
		return nil, b.unavailable(errNotKey)
	}
	return key, nil
}

// create looks for the key and, where there is none, writes one and reads it back. Its
// caller holds the lock.
func (b *bounded) create(ctx context.Context) ([]byte, error) {
	key, err := b.key(ctx)
	if !errors.Is(err, ErrNotFound) {
		return key, err
	}
	key = make([]byte, KeySize)
	rand.Read(key) // which can't fail: since Go 1.24 it ends the program instead
	if err := b.backend.Create(ctx, key); err != nil {
		return nil, b.explain(err)
	}
	key, err = b.key(ctx)
	if errors.Is(err, ErrNotFound) {
		return nil, b.unavailable(errors.New("it did not store the key"))
	}
	return key, err
}

// remove deletes the key, and checks that it is gone. Its caller holds the lock.
func (b *bounded) remove(ctx context.Context) ([]byte, error) {
	if _, err := b.key(ctx); err != nil {
		return nil, err
	}
	if err := b.backend.Delete(ctx); err != nil {
		return nil, b.explain(err)
	}
	switch _, err := b.key(ctx); {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return nil, b.unavailable(errors.New("the key could not be deleted"))
}

// explain turns a backend's error into one that names it.
func (b *bounded) explain(err error) error {
	if fault.Is(err, fault.KeyringLocked) {
		return &fault.Error{Code: fault.KeyringLocked, Subject: b.title, Reason: "is locked", Cause: err}
	}
	return b.unavailable(err)
}

func (b *bounded) unavailable(cause error) error {
	return &fault.Error{
		Code: fault.KeyringUnavailable, Subject: b.title, Reason: "can't be used: " + cause.Error(), Cause: cause,
	}
}

func (b *bounded) timeoutError() error {
	return b.unavailable(fmt.Errorf("it did not respond within %v", b.timeout))
}

// encode and decode are for backends that hold text. What isn't a key decodes to nothing.
func encode(key []byte) string { return base64.StdEncoding.EncodeToString(key) }

func decode(text string) []byte {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return []byte{}
	}
	return key
}
