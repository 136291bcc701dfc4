package keystore

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// The tests use the real backends, and much of what these promise is about processes: other users, other sessions, a
// service that never answers and blocks a library of the process. So the test binary runs itself, and TestMain is the
// child.
const childVar = "KEYSTORE_TEST_CHILD"

// otherValue is what another program puts in place of our key. It must stay, and no error may quote it.
const otherValue = "another program's text"

// A request is what a child does, and comes on its standard input.
type request struct {
	Do      string // key, create, delete, concurrent keys, …
	Choice  string // of backends; the first is used
	Label   string
	Timeout time.Duration // of the backend; 0 for the usual one
}

// A response is what a child writes to its standard output.
type response struct {
	Backends []string
	Key      string // in hex
	Err      string
	Kind     string        // see kind
	Again    time.Duration // after an error: what a second Key with the same Store took
}

func TestMain(m *testing.M) {
	if os.Getenv(childVar) == "" {
		os.Exit(m.Run())
	}
	var r request
	if err := json.NewDecoder(os.Stdin).Decode(&r); err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(respond(r))
}

func respond(r request) (resp response) {
	store := must(Open(Settings{Choice: r.Choice, Getenv: os.Getenv, label: r.Label}))
	resp.Backends = store.Backends()
	if r.Timeout > 0 {
		store.backends[0].timeout = r.Timeout
	}
	key, err := perform(store, r)
	if err != nil {
		resp.Err, resp.Kind = err.Error(), kind(err)
		start := time.Now()
		store.Key(context.Background(), resp.Backends[0])
		resp.Again = time.Since(start)
	}
	resp.Key = hex.EncodeToString(key)
	return resp
}

func perform(store *Store, r request) ([]byte, error) {
	ctx, backend := context.Background(), store.Backends()[0]
	switch r.Do {
	case "key":
		return store.Key(ctx, backend)
	case "create":
		return store.Create(ctx, backend, uncontended)
	case "delete":
		return nil, store.Delete(ctx, backend, uncontended)
	case "concurrent keys":
		if backend == Kernel {
			defer keepThreadsBusy()()
		}
		return concurrently(func() ([]byte, error) { return store.Key(ctx, backend) })
	}
	return performExternal(store, r)
}

// keepThreadsBusy makes the scheduler move goroutines between threads, each of which has a process keyring of its own.
func keepThreadsBusy() (stop func()) {
	runtime.GOMAXPROCS(16) // with 2, a missing runtime.LockOSThread is found once in seven runs
	stopped, stop := context.WithCancel(context.Background())
	for range 8 {
		go func() {
			for stopped.Err() == nil {
				os.Stat("/")
			}
		}()
	}
	return stop
}

// concurrently calls key in forty goroutines.
func concurrently(key func() ([]byte, error)) ([]byte, error) {
	var (
		wg   sync.WaitGroup
		keys [40][]byte
		errs [40]error
	)
	for i := range keys {
		wg.Go(func() { keys[i], errs[i] = key() })
	}
	wg.Wait()
	for i := range keys {
		if !bytes.Equal(keys[i], keys[0]) {
			return nil, fmt.Errorf("goroutines have different results: %v, %v", errs[0], errs[i])
		}
	}
	return keys[0], errs[0]
}

func kind(err error) string {
	switch {
	case err == nil:
		return ""
	case errors.Is(err, ErrNotFound):
		return "not found"
	case errors.Is(err, errNotKey) && fault.Is(err, fault.KeyringUnavailable):
		return "not a key"
	case fault.Is(err, fault.KeyringLocked):
		return "locked"
	case fault.Is(err, fault.KeyringUnavailable):
		return "unavailable"
	}
	return "other"
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
