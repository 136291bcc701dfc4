package delegate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
)

// TestMain makes the test binary a credential helper if it runs under the name of one.
func TestMain(m *testing.M) {
	if name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"); name == prefix+"fake" {
		runFake(filepath.Dir(os.Args[0]))
	}
	os.Exit(m.Run())
}

// A behavior is what the fake helper does.
type behavior struct {
	Stdout, Stderr string
	Huge           int // bytes to print before Stdout
	Status         int
	Hang           bool
	Erase          string // the error of erase
}

// runFake also checks what it inherits. (delegate.txtar checks its input and its directory.)
func runFake(dir string) {
	if os.Getenv("AZURE_CLIENT_SECRET") != "" || os.Getenv(LoopGuard) != "1" ||
		os.Getenv("DOCKER_CREDENTIAL_ACR_HOME") != "/h" {
		panic("its environment is wrong")
	}
	var b behavior
	content, err := os.ReadFile(filepath.Join(dir, "behavior"))
	if err == nil {
		err = json.Unmarshal(content, &b)
	}
	if err != nil {
		panic(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "erase" && b.Erase != "" {
		fmt.Println(b.Erase)
		os.Exit(1)
	}
	fmt.Print(strings.Repeat(" ", b.Huge) + b.Stdout)
	fmt.Fprint(os.Stderr, b.Stderr)
	if b.Hang {
		time.Sleep(time.Minute)
	}
	os.Exit(b.Status)
}

const (
	canary = "c4n4ry"
	hub    = "https://index.docker.io/v1/"
)

// install installs a fake helper.
func install(t *testing.T, b behavior) *Helper {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := rename(own, filepath.Join(dir, prefix+"fake")); err != nil {
		t.Fatal("can't give the test binary another name:", err)
	}
	content, _ := json.Marshal(b)
	if err := os.WriteFile(filepath.Join(dir, "behavior"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return &Helper{
		Name: "fake", timeout: 20 * time.Second,
		Runner: subprocess.Runner{
			Getenv: func(name string) string {
				if name == "PATH" {
					return dir
				}
				return os.Getenv(name)
			},
			Environ: append(os.Environ(),
				"GORACE=atexit_sleep_ms=0", "AZURE_CLIENT_SECRET="+canary, "DOCKER_CREDENTIAL_ACR_HOME=/h"),
		},
		Executable: func() (string, error) { return filepath.Join(dir, "docker-credential-acr"), nil },
	}
}

// rename gives a program another name. Windows has no links without a privilege, and can't delete those to programs that run.
func rename(program, path string) error {
	if runtime.GOOS != "windows" {
		return os.Symlink(program, path)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	return os.WriteFile(path+".exe", content, 0o700)
}

// do runs one action of the helper.
func do(t *testing.T, h *Helper, action string) (err error) {
	switch action {
	case "get":
		_, _, err = h.Get(t.Context(), hub)
	case "store":
		err = h.Store(t.Context(), hub, "ada", secret.New(canary))
	case "erase":
		err = h.Erase(t.Context(), hub)
	case "list":
		_, err = h.List(t.Context())
	}
	return err
}

func TestHelper_not_found(t *testing.T) {
	for _, b := range []behavior{
		{Stdout: "credentials not found in native keychain\n", Status: 1},
		{Stdout: `{"ServerURL":"","Username":"","Secret":""}`},
		{Stdout: "{}"},
		{Stdout: "credentials not found in native keychain\n", Status: 1, Erase: "x is not in the password store"},
	} {
		h := install(t, b)
		if err := do(t, h, "get"); !credentials.IsErrCredentialsNotFound(err) {
			t.Errorf("%+v: get: %v", b, err)
		}
		if err := do(t, h, "erase"); err != nil {
			t.Errorf("%+v: erase: %v", b, err)
		}
	}
}

const every = "get list store erase"

// check runs some actions, all of which must fail.
func check(t *testing.T, h *Helper, actions string, code fault.Code, reason string) {
	t.Helper()
	want := fault.Error{Code: code, Subject: h.Program(), Reason: reason}
	for action := range strings.FieldsSeq(actions) {
		err := do(t, h, action)
		if failed, ok := errors.AsType[*fault.Error](err); !ok || *failed != want {
			t.Errorf("%s: %v, want %v (%s)", action, err, &want, want.Code)
		}
	}
}

func TestHelper_fails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 30 processes")
	}
	const malformed, login = "returned an invalid response", `{"Username":"ada","Secret":"` + canary + `"}`
	for _, row := range []struct {
		behavior
		actions, reason string
	}{
		{behavior{Status: 1, Stdout: "the keychain is locked\n", Stderr: "noise"}, every, "failed: the keychain is locked"},
		{behavior{Status: 2, Stderr: "panic:\r\n\x1b[31m boom\t\x00!\n"}, every, "failed: panic: ?[31m boom ?!"},
		{behavior{Status: 3}, every, "failed: exit status 3"},
		{behavior{Status: 1, Stdout: strings.Repeat("x", 2<<20)}, every, "failed: " + strings.Repeat("x", 200) + "…"},
		{behavior{Status: 1, Stdout: login, Stderr: "disk full\n"}, "get list", "failed: disk full"},
		{behavior{Stdout: canary}, "get list", malformed},
		{behavior{}, "get list", malformed},
		{behavior{Stdout: "null"}, "get", malformed},
		{behavior{Stdout: `{"Username":7,"Secret":"` + canary + `"}`}, "get list", malformed},
		{behavior{Huge: 2 << 20, Stdout: "{}"}, "get list", malformed},
	} {
		check(t, install(t, row.behavior), row.actions, fault.DelegateFailed, row.reason)
	}
}

func TestHelper_Path_fails(t *testing.T) {
	h := install(t, behavior{})
	if h.Executable = os.Executable; runtime.GOOS == "windows" { // where it has a copy's path
		path := h.Runner.Find(h.Program())
		h.Executable = func() (string, error) { return path, nil }
	}
	check(t, h, every, fault.DelegateItself, "is this program")
	h.Name = "none"
	check(t, h, every, fault.DelegateMissing, "is not on the PATH")
}

func TestHelper_times_out(t *testing.T) {
	if defaultTimeout >= 28*time.Second {
		t.Error("a whole get has 28 seconds")
	}
	h := install(t, behavior{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := h.Get(ctx, hub)
	if fault.CodeOf(err) != fault.DelegateTimeout || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > h.timeout/2 {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
	h.timeout = 50 * time.Millisecond
	check(t, h, every, fault.DelegateTimeout, "did not respond within 50ms")
}

// A password must not be cut, or folded into a line, before it is recognized. A short one is not replaced, because the
// gap would show it.
func TestHelper_Store_quotes_no_password(t *testing.T) {
	const redacted = "can't keep [redacted]"
	for password, want := range map[string]string{
		canary:                                 redacted,
		strings.Repeat(canary, 80):             redacted,
		canary + "  " + canary + "\t" + canary: redacted,
		"abc":                                  "exit status 1",
	} {
		h := install(t, behavior{Status: 1, Stdout: "can't keep " + password})
		err := h.Store(t.Context(), hub, "ada", secret.New(password))
		if err == nil || err.Error() != "docker-credential-fake failed: "+want {
			t.Error(err)
		}
	}
}
