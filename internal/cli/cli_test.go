package cli

import (
	"bytes"
	"errors"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// run runs the program without network and home.
func run(t *testing.T, stdin io.Reader, terminal bool, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	env := app.Env{
		Stdin: stdin, StdinIsTerminal: terminal, Stdout: &out, Stderr: &errs, Now: time.Now,
		Environ:   []string{"DOCKER_CREDENTIAL_ACR_KEYRING=none"},
		Transport: http.NewFileTransport(http.Dir(t.TempDir())),
	}
	status = Run(t.Context(), env, args)
	return status, out.String(), errs.String()
}

func TestRun_get_at_a_terminal_says_what_to_type(t *testing.T) {
	// A terminal doesn't end with the line: reading on would wait forever.
	typed := io.MultiReader(strings.NewReader("ghcr.io\n"), iotest.ErrReader(errors.New("read beyond the line")))
	status, stdout, stderr := run(t, typed, true, "get")
	const prompt = "docker-credential-acr: enter the registry, for example contoso.azurecr.io\n"
	if status != 1 || stdout != "credentials not found in native keychain\n" || !strings.Contains(stderr, prompt) {
		t.Errorf("%d, %q, %q", status, stdout, stderr)
	}
}

// TestRun_get_ends_whatever_hangs has a part that minds no context.
func TestRun_get_ends_whatever_hangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, errs bytes.Buffer
		ended := make(chan int, 1)
		env := app.Env{
			Stdin: strings.NewReader("contoso.azurecr.io"), Stdout: &out, Stderr: &errs, Now: time.Now,
			Environ: []string{"DOCKER_CREDENTIAL_ACR_KEYRING=none"}, Transport: http.NewFileTransport(http.Dir(t.TempDir())),
		}
		env.OnAzureVM = func() bool { return <-ended < 0 }
		env.Exit = func(status int) { ended <- status }
		began := time.Now()
		Run(t.Context(), env, []string{"get"})
		const failure = "contoso.azurecr.io: get did not end within 30s\n"
		if time.Since(began) != serveTimeout || !strings.HasPrefix(out.String(), failure) {
			t.Errorf("after %v: %q, %q", time.Since(began), out.String(), errs.String())
		}
	})
}

func TestRun_get_with_a_read_error(t *testing.T) {
	status, stdout, stderr := run(t, iotest.ErrReader(io.ErrUnexpectedEOF), false, "get")
	const failure = "can't read standard input: unexpected EOF\n"
	if status != 1 || stdout != failure || stderr != "docker-credential-acr: "+failure {
		t.Errorf("%d, %q, %q", status, stdout, stderr)
	}
}

func TestLineHandler_redacts_secrets(t *testing.T) {
	var errs bytes.Buffer
	began := time.Unix(0, 0)
	now := func() time.Time { return began }
	log := slog.New(&lineHandler{out: &errs, level: slog.LevelDebug, now: now, start: began})
	value := secret.New("c4n4ry")
	log.Debug("step", "secret", value, "token", secret.Token{Value: value}, "empty", "", slog.Int("n", 1))
	const line = `docker-credential-acr: trace: 0 ms: step secret="[redacted]"`
	if strings.Contains(errs.String(), "c4n4ry") || !strings.HasPrefix(errs.String(), line) {
		t.Error(errs.String())
	}
}

// TestToken_is_not_printed_to_a_terminal also proves that no token is asked for before.
func TestToken_is_not_printed_to_a_terminal(t *testing.T) {
	var out, errs bytes.Buffer
	env := app.Env{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, StdoutIsTerminal: true, Now: time.Now,
		Environ: []string{"DOCKER_CREDENTIAL_ACR_KEYRING=none"}, Transport: http.NewFileTransport(http.Dir(t.TempDir())),
	}
	const refusal = "docker-credential-acr: contoso.azurecr.io: a token is not printed to a terminal: " +
		"pipe it to where it is needed, or use --force\n"
	status := Run(t.Context(), env, []string{"token", "contoso.azurecr.io"})
	if status != 1 || out.Len() > 0 || errs.String() != refusal {
		t.Errorf("%d, %q, %q", status, out.String(), errs.String())
	}
	errs.Reset()
	Run(t.Context(), env, []string{"token", "contoso.azurecr.io", "--force"})
	if !strings.Contains(errs.String(), "not signed in") {
		t.Errorf("with --force: %q", errs.String())
	}
}

// TestRun_get_on_a_terminal_shows_no_secret has a user who types what a client runs.
func TestRun_get_on_a_terminal_shows_no_secret(t *testing.T) {
	var out, errs bytes.Buffer
	env := app.Env{
		Stdout: &out, Stderr: &errs, Now: time.Now, Transport: http.NewFileTransport(http.Dir(t.TempDir())),
		Environ: []string{"DOCKER_CREDENTIAL_ACR_KEYRING=file", "DOCKER_CREDENTIAL_ACR_HOME=" + t.TempDir()},
	}
	env.Stdin = strings.NewReader(`{"ServerURL":"contoso.azurecr.io","Username":"admin","Secret":"c4n4ry"}`)
	if status := Run(t.Context(), env, []string{"store"}); status != 0 {
		t.Fatal(out.String())
	}
	env.Stdin, env.StdoutIsTerminal = strings.NewReader("contoso.azurecr.io"), true
	const masked = `{"ServerURL":"contoso.azurecr.io","Username":"admin","Secret":"********"}` + "\n"
	const how = "docker-credential-acr: the secret is not shown on a terminal. " +
		"To print it, run: echo contoso.azurecr.io | docker-credential-acr get | cat\n"
	if status := Run(t.Context(), env, []string{"get"}); status != 0 || out.String() != masked || errs.String() != how {
		t.Errorf("%d, %q, %q", status, out.String(), errs.String())
	}
}

// TestMain_discards_the_standard_log proves that what net/http logs, which quotes servers, is printed nowhere.
func TestMain_discards_the_standard_log(t *testing.T) {
	defer log.SetOutput(log.Writer())
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	env := app.Env{Stdout: io.Discard, Stderr: io.Discard, Now: time.Now}
	if status := Main(env, file, file, []string{"docker-credential-acr", "version"}); status != 0 || log.Writer() != io.Discard {
		t.Errorf("status %d, the log goes to %T", status, log.Writer())
	}
}
