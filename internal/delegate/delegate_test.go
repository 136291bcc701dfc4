package delegate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// A call is what the fake helper was run with.
type call struct {
	Args, Environ []string
	Stdin, Dir    string
}

func runFake(dir string) {
	var b behavior
	content, err := os.ReadFile(filepath.Join(dir, "behavior"))
	if err == nil {
		err = json.Unmarshal(content, &b)
	}
	stdin, _ := io.ReadAll(os.Stdin)
	c := call{Args: os.Args[1:], Environ: os.Environ(), Stdin: string(stdin)}
	c.Dir, _ = os.Getwd()
	content, _ = json.Marshal(c)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "call"), content, 0o600)); err != nil {
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

// install installs a fake helper; lastCall returns what it was last run with.
func install(t *testing.T, b behavior) (h *Helper, lastCall func() call) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, prefix+"fake")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if err := os.Symlink(own, path); err != nil {
		t.Skip("can't give the test binary another name:", err)
	}
	content, _ := json.Marshal(b)
	if err := os.WriteFile(filepath.Join(dir, "behavior"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	h = &Helper{
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
	return h, func() (c call) {
		content, err := os.ReadFile(filepath.Join(dir, "call"))
		if err == nil {
			err = json.Unmarshal(content, &c)
		}
		if err != nil {
			t.Error(err)
		}
		return c
	}
}

// do runs one action of the helper, and returns what it answers as text.
func do(t *testing.T, h *Helper, action, password string) (string, error) {
	switch action {
	case "get":
		user, got, err := h.Get(t.Context(), hub)
		return user + " " + got.Reveal(), err
	case "store":
		return "", h.Store(t.Context(), hub, "ada", secret.New(password))
	case "erase":
		return "", h.Erase(t.Context(), hub)
	default:
		users, err := h.List(t.Context())
		return fmt.Sprint(users), err
	}
}

func TestHelper(t *testing.T) {
	for _, row := range []struct{ action, stdout, stdin, want string }{
		{"get", `{"ServerURL":"x","Username":"ada","Secret":"p<s\"s"}` + "\n", hub, `ada p<s"s`},
		{"store", "", `{"ServerURL":"https://index.docker.io/v1/","Username":"ada","Secret":"p\u003cs\"s"}` + "\n", ""},
		{"erase", "", hub, ""},
		{"list", `{"` + hub + `":"ada"}`, "", "map[" + hub + ":ada]"},
	} {
		t.Run(row.action, func(t *testing.T) {
			h, lastCall := install(t, behavior{Stdout: row.stdout, Stderr: "noise\n"})
			if got, err := do(t, h, row.action, `p<s"s`); got != row.want || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			c := lastCall()
			if len(c.Args) != 1 || c.Args[0] != row.action || c.Stdin != row.stdin {
				t.Errorf("run with %q, %q", c.Args, c.Stdin)
			}
			environ := "\n" + strings.Join(c.Environ, "\n") + "\n"
			if strings.Contains(environ, canary) ||
				!strings.Contains(environ, "\n"+LoopGuard+"=1\n") ||
				!strings.Contains(environ, "\nDOCKER_CREDENTIAL_ACR_HOME=/h\n") {
				t.Errorf("its environment is\n%s", environ)
			}
			if runtime.GOOS != "windows" && c.Dir != "/" {
				t.Errorf("it ran in %s", c.Dir)
			}
		})
	}
}

func TestHelper_not_found(t *testing.T) {
	for _, b := range []behavior{
		{Stdout: "credentials not found in native keychain\n", Status: 1},
		{Stdout: `{"ServerURL":"","Username":"","Secret":""}`},
		{Stdout: "{}"},
		{Stdout: "credentials not found in native keychain\n", Status: 1, Erase: "x is not in the password store"},
	} {
		h, _ := install(t, b)
		if _, err := do(t, h, "get", ""); !credentials.IsErrCredentialsNotFound(err) {
			t.Errorf("%+v: get: %v", b, err)
		}
		if _, err := do(t, h, "erase", ""); err != nil {
			t.Errorf("%+v: erase: %v", b, err)
		}
	}
}

func TestHelper_fails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts 40 processes")
	}
	const (
		every     = "get list store erase"
		malformed = "gave a malformed answer"
	)
	tooSlow := func(h *Helper) { h.timeout = 50 * time.Millisecond }
	for _, row := range []struct {
		behavior
		change  func(*Helper)
		actions string
		code    fault.Code
		reason  string
	}{
		{
			behavior{Status: 1, Stdout: "the keychain is locked\n", Stderr: "noise"},
			nil,
			every, fault.DelegateFailed, "failed: the keychain is locked",
		},
		{
			behavior{Status: 2, Stderr: "panic:\r\n\x1b[31m boom\t\x00!\n"},
			nil,
			every, fault.DelegateFailed, "failed: panic: ?[31m boom ?!",
		},
		{behavior{Status: 3}, nil, every, fault.DelegateFailed, "failed: exit status 3"},
		{
			behavior{Status: 1, Stdout: strings.Repeat("x", 2<<20)},
			nil,
			every, fault.DelegateFailed, "failed: " + strings.Repeat("x", 200) + "…",
		},
		{
			behavior{Status: 1, Stdout: "can't keep " + canary},
			nil,
			"store", fault.DelegateFailed, "failed: can't keep [redacted]",
		},
		{
			behavior{Status: 1, Stdout: `{"Username":"ada","Secret":"` + canary + `"}`, Stderr: "disk full\n"},
			nil,
			"get list", fault.DelegateFailed, "failed: disk full",
		},
		{behavior{Stdout: canary}, nil, "get list", fault.DelegateFailed, malformed},
		{behavior{}, nil, "get list", fault.DelegateFailed, malformed},
		{behavior{Stdout: "null"}, nil, "get", fault.DelegateFailed, malformed},
		{behavior{Stdout: `{"Username":7,"Secret":"` + canary + `"}`}, nil, "get list", fault.DelegateFailed, malformed},
		{behavior{Huge: 2 << 20, Stdout: "{}"}, nil, "get list", fault.DelegateFailed, malformed},
		{behavior{Hang: true}, tooSlow, every, fault.DelegateTimeout, "did not answer within 50ms"},
		{behavior{}, func(h *Helper) { h.Name = "none" }, every, fault.DelegateMissing, "is not on the PATH"},
		{behavior{}, func(h *Helper) { h.Executable = os.Executable }, every, fault.DelegateItself, "is this program itself"},
	} {
		h, _ := install(t, row.behavior)
		if row.change != nil {
			row.change(h)
		}
		want := fault.Error{Code: row.code, Subject: h.Program(), Reason: row.reason}
		for action := range strings.FieldsSeq(row.actions) {
			_, err := do(t, h, action, canary)
			if failed, ok := errors.AsType[*fault.Error](err); !ok || *failed != want {
				t.Errorf("%s: %v, want %v (%s)", action, err, &want, want.Code)
			}
		}
	}
}

func TestHelper_Get_ends_with_its_context(t *testing.T) {
	if defaultTimeout >= 28*time.Second {
		t.Error("a whole get has 28 seconds")
	}
	h, _ := install(t, behavior{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := h.Get(ctx, hub)
	if fault.CodeOf(err) != fault.DelegateTimeout || time.Since(start) > h.timeout/2 {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

// A password must not be cut, or folded into a line, before it is recognized.
func TestHelper_Store_redacts_the_whole_password(t *testing.T) {
	for _, password := range []string{strings.Repeat(canary, 80), canary + "  " + canary + "\t" + canary} {
		h, _ := install(t, behavior{Status: 1, Stdout: "can't keep " + password})
		err := h.Store(t.Context(), hub, "ada", secret.New(password))
		if err == nil || strings.Contains(err.Error(), canary) || !strings.Contains(err.Error(), "can't keep [redacted]") {
			t.Error(err)
		}
	}
}

// Where a short password is left out, the gap would show it.
func TestHelper_Store_quotes_nothing_beside_a_short_password(t *testing.T) {
	h, _ := install(t, behavior{Status: 1, Stdout: "can't keep abc of ada"})
	err := h.Store(t.Context(), hub, "ada", secret.New("abc"))
	if err == nil || err.Error() != "docker-credential-fake failed: exit status 1" {
		t.Error(err)
	}
}
