package keyring

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// The tests use the real homes, and much of what homes promise is about
// processes: other users, other sessions, fifty at once, a hanging service that
// takes the process's library down with it. So the test binary runs itself,
// and TestMain answers as the child.
const childVar = "KEYRING_TEST_CHILD"

// An order is what a child does, on its standard input; a report its answer.
type order struct {
	Do      string // key, make, get (key, and make when there is none), crowd (many keys at once), …
	Choice  string
	Home    string // the home to use; "" for the first of the choice
	Label   string
	KeyFile string
	Lock    string // path of the lock file
}

type report struct {
	Homes []string
	Key   string // in hex
	Err   string
	Kind  string // not found, locked, unavailable, other, or ""
	Took  time.Duration
	Again time.Duration // what a second Key on the same Ring took
}

func TestMain(m *testing.M) {
	if os.Getenv(childVar) == "" {
		os.Exit(m.Run())
	}
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		panic(err)
	}
	json.NewEncoder(os.Stdout).Encode(obey(o))
}

func obey(o order) (rep report) {
	r, err := Open(Settings{Choice: o.Choice, KeyFile: o.KeyFile, Getenv: os.Getenv, label: o.Label})
	if err != nil {
		panic(err)
	}
	rep.Homes = r.Homes()
	if o.Home == "" {
		o.Home = rep.Homes[0]
	}
	start := time.Now()
	key, err := do(r, o)
	rep.Took = time.Since(start)
	if err != nil {
		rep.Err, rep.Kind = err.Error(), kind(err)
		start = time.Now()
		r.Key(context.Background(), o.Home)
		rep.Again = time.Since(start)
	}
	rep.Key = hex.EncodeToString(key)
	return rep
}

func do(r *Ring, o order) ([]byte, error) {
	ctx := context.Background()
	lock := func(context.Context) (func(), error) { return lockFile(o.Lock) }
	switch o.Do {
	case "key":
		return r.Key(ctx, o.Home)
	case "make":
		return r.Make(ctx, o.Home, lock)
	case "get":
		key, err := r.Key(ctx, o.Home)
		if errors.Is(err, ErrNotFound) {
			return r.Make(ctx, o.Home, lock)
		}
		return key, err
	case "delete":
		return nil, r.Delete(ctx, o.Home, lock)
	case "unlock":
		return nil, unlock(r)
	case "crowd":
		return crowd(func() ([]byte, error) { return r.Key(ctx, o.Home) })
	}
	return elsewhere(o)
}

// unlock reports what came of it as an error: there is no key to tell of.
func unlock(r *Ring) error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	already, err := r.Unlock(ctx, func() {})
	switch {
	case err != nil:
		return err
	case already:
		return errors.New("already open")
	}
	return errors.New("opened")
}

// crowd asks from forty goroutines while others keep the threads busy, so that
// the scheduler moves goroutines between threads.
func crowd(ask func() ([]byte, error)) ([]byte, error) {
	stop := make(chan struct{})
	defer close(stop)
	for range 8 {
		go func() {
			for {
				select {
				case <-stop:
					return
				default:
					os.Stat("/")
				}
			}
		}()
	}
	var (
		wg   sync.WaitGroup
		keys [40][]byte
		errs [40]error
	)
	for i := range keys {
		wg.Go(func() { keys[i], errs[i] = ask() })
	}
	wg.Wait()
	for i := range keys {
		if !bytes.Equal(keys[i], keys[0]) {
			return nil, fmt.Errorf("goroutines disagree: %v, %v", errs[0], errs[i])
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
	case errors.Is(err, ErrLocked):
		return "locked"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	}
	return "other"
}

// need skips a test whose tools are missing, and fails it in CI, where they
// are a promise.
func need(t *testing.T, tools ...string) {
	t.Helper()
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing(t, tool+" is not installed")
		}
	}
}

// missing skips a test that can't run here; in CI it fails. make says so in the
// end, because go test itself keeps quiet about what it skips.
func missing(t *testing.T, why string) {
	t.Helper()
	if f, err := os.OpenFile(os.Getenv("NOT_TESTED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
		fmt.Fprintln(f, "keyring: "+why)
		f.Close()
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// self is a copy of the test binary that any user may run, in a directory that
// any user may write to: go test's own is closed to others.
func self(t *testing.T) (binary, dir string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	binary = filepath.Join(dir, "child.exe")
	in, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(binary, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return binary, dir
}

// A child knows how to start the test binary: under which words (keyctl
// session -, unshare …), as whom, with which environment.
type child struct {
	binary string
	under  []string
	env    []string
	adapt  func(*exec.Cmd)
	heard  func(report) // sees every report before it is judged; nil for nobody
}

func (c child) run(t *testing.T, o order) report {
	t.Helper()
	rep, err := c.try(o)
	if err != nil {
		t.Fatalf("child %v: %v", o, err)
	}
	if c.heard != nil {
		c.heard(rep)
	}
	return rep
}

func (c child) try(o order) (rep report, err error) {
	words := append(append([]string{}, c.under...), c.binary)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(append([]string{}, c.env...), childVar+"=1", "PATH="+os.Getenv("PATH"),
		"GORACE=atexit_sleep_ms=0") // go test -race would hold every child for a second
	in, err := json.Marshal(o)
	if err != nil {
		return rep, err
	}
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &stderr
	if c.adapt != nil {
		c.adapt(cmd)
	}
	out, err := cmd.Output()
	if err != nil {
		return rep, fmt.Errorf("%w: %s", err, stderr.Bytes())
	}
	if i := bytes.IndexByte(out, '{'); i > 0 { // keyctl session says which it joined
		out = out[i:]
	}
	return rep, json.Unmarshal(out, &rep)
}

// fifty runs fifty children at once and returns the one key they agree on.
func (c child) fifty(t *testing.T, o order) string {
	t.Helper()
	var wg sync.WaitGroup
	var reps [50]report
	var errs [50]error
	for i := range reps {
		wg.Go(func() { reps[i], errs[i] = c.try(o) })
	}
	wg.Wait()
	for i, rep := range reps {
		if c.heard != nil {
			c.heard(rep)
		}
		if errs[i] != nil || rep.Err != "" || len(rep.Key) != 2*KeySize || rep.Key != reps[0].Key {
			t.Fatalf("process %d: key of %d digits, same as the first: %t; %v %s", i, len(rep.Key), rep.Key == reps[0].Key, errs[i], rep.Err)
		}
	}
	return reps[0].Key
}
