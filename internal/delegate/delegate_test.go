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

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
)

// TestMain makes the test binary a credential helper where it is called by the
// name of one.
func TestMain(m *testing.M) {
	if name := strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"); name == Prefix+"fake" {
		pretend(filepath.Dir(os.Args[0]))
	}
	os.Exit(m.Run())
}

// A recording is what a helper does.
type recording struct {
	Stdout, Stderr string
	Huge           int // bytes to print before that
	Status         int
	Hang           bool
	Erase          string // what erase fails with
}

// A call is what it notes of one.
type call struct {
	Args, Environ []string
	Stdin, Dir    string
}

func pretend(dir string) {
	var r recording
	content, err := os.ReadFile(filepath.Join(dir, "recording"))
	if err == nil {
		err = json.Unmarshal(content, &r)
	}
	stdin, _ := io.ReadAll(os.Stdin)
	c := call{Args: os.Args[1:], Environ: os.Environ(), Stdin: string(stdin)}
	c.Dir, _ = os.Getwd()
	noted, _ := json.Marshal(c)
	if err := errors.Join(err, os.WriteFile(filepath.Join(dir, "call"), noted, 0o600)); err != nil {
		panic(err)
	}
	if len(os.Args) == 2 && os.Args[1] == "erase" && r.Erase != "" {
		fmt.Println(r.Erase)
		os.Exit(1)
	}
	fmt.Print(strings.Repeat(" ", r.Huge) + r.Stdout)
	fmt.Fprint(os.Stderr, r.Stderr)
	if r.Hang {
		time.Sleep(time.Minute)
	}
	os.Exit(r.Status)
}

const canary = "c4n4ry"

// install makes a helper that does so, and says how to read what it noted.
func install(t *testing.T, r recording) (h *Helper, noted func() call) {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, Prefix+"fake")
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	if os.Symlink(own, path) != nil {
		t.Skip("no way to give the test binary another name")
	}
	content, _ := json.Marshal(r)
	if err := os.WriteFile(filepath.Join(dir, "recording"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	h = &Helper{
		Name: "fake", Timeout: 20 * time.Second,
		Runner: tool.Runner{
			Getenv: func(name string) string {
				if name == "PATH" {
					return dir
				}
				return os.Getenv(name)
			},
			Environ: func() []string {
				return append(os.Environ(), "GORACE=atexit_sleep_ms=0", "AZURE_CLIENT_SECRET="+canary, "DOCKER_CREDENTIAL_ACR_HOME=/h")
			},
		},
		Self: func() (string, error) { return filepath.Join(dir, "docker-credential-acr"), nil },
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

const hub = "https://index.docker.io/v1/"

func TestTheFourVerbs(t *testing.T) {
	for _, row := range []struct {
		verb   string
		stdout string
		run    func(*Helper, context.Context) (string, error)
		stdin  string
		want   string
	}{
		{"get", `{"ServerURL":"x","Username":"ada","Secret":"p<s\"s"}` + "\n", func(h *Helper, ctx context.Context) (string, error) {
			user, pass, err := h.Get(ctx, hub)
			return user + " " + pass.Reveal(), err
		}, hub, `ada p<s"s`},
		{"store", "", func(h *Helper, ctx context.Context) (string, error) {
			return "", h.Store(ctx, hub, "ada", secret.New(`p<s"s`))
		}, `{"ServerURL":"https://index.docker.io/v1/","Username":"ada","Secret":"p\u003cs\"s"}` + "\n", ""},
		{"erase", "", func(h *Helper, ctx context.Context) (string, error) { return "", h.Erase(ctx, hub) }, hub, ""},
		{"list", `{"` + hub + `":"ada"}`, func(h *Helper, ctx context.Context) (string, error) {
			users, err := h.List(ctx)
			return fmt.Sprint(users), err
		}, "", "map[" + hub + ":ada]"},
	} {
		h, noted := install(t, recording{Stdout: row.stdout, Stderr: "noise\n"})
		got, err := row.run(h, t.Context())
		if got != row.want || err != nil {
			t.Errorf("%s: %q, %v", row.verb, got, err)
		}
		c := noted()
		if len(c.Args) != 1 || c.Args[0] != row.verb || c.Stdin != row.stdin {
			t.Errorf("%s: called with %q, %q", row.verb, c.Args, c.Stdin)
		}
		environ := "\n" + strings.Join(c.Environ, "\n") + "\n"
		if strings.Contains(environ, canary) || !strings.Contains(environ, "\n"+Marker+"=1\n") || !strings.Contains(environ, "\nDOCKER_CREDENTIAL_ACR_HOME=/h\n") {
			t.Errorf("%s: its environment is\n%s", row.verb, environ)
		}
		if runtime.GOOS != "windows" && c.Dir != "/" {
			t.Errorf("%s ran in %s", row.verb, c.Dir)
		}
	}
}

// all runs every verb and returns what they said.
func all(t *testing.T, h *Helper) map[string]error {
	t.Helper()
	_, _, get := h.Get(t.Context(), hub)
	_, list := h.List(t.Context())
	return map[string]error{"get": get, "list": list, "store": h.Store(t.Context(), hub, "ada", secret.New(canary)), "erase": h.Erase(t.Context(), hub)}
}

func TestWhatIsNotThere(t *testing.T) {
	for _, r := range []recording{
		{Stdout: "credentials not found in native keychain\n", Status: 1},
		{Stdout: `{"ServerURL":"","Username":"","Secret":""}`},
		{Stdout: "{}"},
		{Stdout: "credentials not found in native keychain\n", Status: 1, Erase: "x is not in the password store"},
	} {
		h, _ := install(t, r)
		errs := all(t, h)
		if !credentials.IsErrCredentialsNotFound(errs["get"]) || errs["erase"] != nil {
			t.Errorf("%v", errs)
		}
	}
}

func TestFailures(t *testing.T) {
	late := func(h *Helper) { h.Timeout = 300 * time.Millisecond }
	for _, row := range []struct {
		recording
		change func(*Helper)
		verbs  string
		want   string
	}{
		{recording{Status: 1, Stdout: "the keychain is locked\n", Stderr: "noise"}, nil, "get list store erase", CodeFailed + ": docker-credential-fake failed: the keychain is locked"},
		{recording{Status: 2, Stderr: "panic:\r\n\x1b[31m boom\t\x00!\n"}, nil, "get list store erase", CodeFailed + ": docker-credential-fake failed: panic: [31m boom !"},
		{recording{Status: 3}, nil, "get list store erase", CodeFailed + ": docker-credential-fake failed: exit status 3"},
		{recording{Status: 1, Stdout: strings.Repeat("x", 2<<20)}, nil, "get list store erase", CodeFailed + ": docker-credential-fake failed: " + strings.Repeat("x", 200) + "…"},
		{recording{Status: 1, Stdout: "can't keep " + canary}, nil, "store", CodeFailed + ": docker-credential-fake failed: can't keep [redacted]"},
		{recording{Status: 1, Stdout: `{"Username":"ada","Secret":"` + canary + `"}`, Stderr: "disk full\n"}, nil, "get list", CodeFailed + ": docker-credential-fake failed: disk full"},
		{recording{Stdout: canary}, nil, "get list", CodeFailed + ": docker-credential-fake answered something that is not understood"},
		{recording{}, nil, "get list", CodeFailed + ": docker-credential-fake answered something that is not understood"},
		{recording{Stdout: "null"}, nil, "get", CodeFailed + ": docker-credential-fake answered something that is not understood"},
		{recording{Stdout: `{"Username":7,"Secret":"` + canary + `"}`}, nil, "get list", CodeFailed + ": docker-credential-fake answered something that is not understood"},
		{recording{Huge: 2 << 20, Stdout: "{}"}, nil, "get list", CodeFailed + ": docker-credential-fake answered something that is not understood"},
		{recording{Hang: true}, late, "get list store erase", CodeLate + ": docker-credential-fake did not answer within 300ms"},
		{recording{}, func(h *Helper) { h.Name = "none" }, "get list store erase", CodeMissing + ": docker-credential-none is not on PATH"},
		{recording{}, func(h *Helper) { h.Self = os.Executable }, "get list store erase", CodeItself + ": docker-credential-fake is this very program"},
	} {
		h, _ := install(t, row.recording)
		if row.change != nil {
			row.change(h)
		}
		errs := all(t, h)
		for verb := range strings.FieldsSeq(row.verbs) {
			var failed *Error
			if !errors.As(errs[verb], &failed) || failed.Code()+": "+failed.Error() != row.want {
				t.Errorf("%s: %v, want %s", verb, errs[verb], row.want)
			}
		}
	}
}

func TestNobodyWaitsForEver(t *testing.T) {
	if Patience >= 28*time.Second {
		t.Error("a whole get has 28 seconds")
	}
	h, _ := install(t, recording{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, _, err := h.Get(ctx, hub)
	if err == nil || err.Error() != "docker-credential-fake was not waited for any longer" {
		t.Error(err)
	}
}

// TestNoPartOfASecretIsTold holds for one that would be cut or folded into a line.
func TestNoPartOfASecretIsTold(t *testing.T) {
	for _, password := range []string{strings.Repeat("c4n4ry", 80), "c4n4ry  c4n4ry\tc4n4ry"} {
		h, _ := install(t, recording{Status: 1, Stdout: "can't keep " + password})
		err := h.Store(t.Context(), hub, "ada", secret.New(password))
		if err == nil || strings.Contains(err.Error(), "c4n4ry") || !strings.Contains(err.Error(), "can't keep [redacted]") {
			t.Error(err)
		}
	}
}
