package keystore

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
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

// requireTools skips a test whose tools are missing.
func requireTools(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			skipIncapable(t, tool+" is not installed")
		}
	}
}

// skipIncapable skips a test that can't run on this computer. CI has to be able to run all tests, so there it fails.
// "make test" prints the reasons at the end, because go test doesn't say what it skips.
func skipIncapable(t *testing.T, reason string) {
	t.Helper()
	if f, err := os.OpenFile(os.Getenv("NOT_TESTED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
		fmt.Fprintln(f, "keystore: "+reason)
		f.Close()
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// A child says how to start the test binary.
type child struct {
	binary     string   // "" for the running one
	prefix     []string // the command that starts it: keyctl session -
	env        []string
	adapt      func(*exec.Cmd)
	onResponse func(response)    // sees every response first; may be nil
	keys       map[string]string // by the letter that steps call them
}

func (c child) run(t *testing.T, r request) response {
	t.Helper()
	resp, err := c.try(r)
	if err != nil {
		t.Fatalf("child %v: %v", r, err)
	}
	if c.onResponse != nil {
		c.onResponse(resp)
	}
	if strings.Contains(resp.Err, otherValue) {
		t.Errorf("%s: the error quotes the value", r.Do)
	}
	return resp
}

// steps runs children one after the other, and compares what they report. "create:A" must return a key, which is A from
// then on; another letter is another key. "key:locked" must fail with that kind of error. "revoke" must succeed.
func (c child) steps(t *testing.T, r request, steps ...string) {
	t.Helper()
	for _, step := range steps {
		do, want, _ := strings.Cut(step, ":")
		r.Do = do
		resp := c.run(t, r)
		got := resp.Kind
		if len(want) == 1 {
			if c.keys[want] == "" && len(resp.Key) == 2*KeySize {
				c.keys[want] = resp.Key
			}
			for name, key := range c.keys {
				if resp.Key == key {
					got += name
				}
			}
		}
		if got != want {
			t.Errorf("%s: got %q: %s", step, got, resp.Err)
		}
	}
}

func (c child) try(r request) (resp response, err error) {
	if c.binary == "" {
		c.binary = must(os.Executable())
	}
	command := append(append([]string{}, c.prefix...), c.binary)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = append(append([]string{}, c.env...), childVar+"=1", "PATH="+os.Getenv("PATH"),
		"GORACE=atexit_sleep_ms=0") // otherwise each child of go test -race waits for a second
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(must(json.Marshal(r))), &stderr
	if c.adapt != nil {
		c.adapt(cmd)
	}
	out, err := cmd.Output()
	if err != nil {
		return resp, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	if i := bytes.IndexByte(out, '{'); i > 0 { // keyctl session prints which one it joined
		out = out[i:]
	}
	return resp, json.Unmarshal(out, &resp)
}
