package cli

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// run runs the program in a World without network and home.
func run(t *testing.T, stdin io.Reader, terminal bool, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	w := World{
		Stdin: stdin, Terminal: terminal, Stdout: &out, Stderr: &errs, Now: time.Now,
		Environ:   []string{"DOCKER_CREDENTIAL_ACR_KEYRING=none"},
		Transport: http.NewFileTransport(http.Dir(t.TempDir())),
	}
	status = Run(t.Context(), w, args)
	return status, out.String(), errs.String()
}

func TestAPersonAtATerminalIsTold(t *testing.T) {
	// A terminal doesn't end with the line: whoever reads on would wait for ever.
	typed := io.MultiReader(strings.NewReader("ghcr.io\n"), iotest.ErrReader(errors.New("read beyond the line")))
	status, stdout, stderr := run(t, typed, true, "get")
	if status != 1 || stdout != "credentials not found in native keychain\n" || !strings.Contains(stderr, "type the registry, for example contoso.azurecr.io, then Enter") {
		t.Errorf("%d, %q, %q", status, stdout, stderr)
	}
}

func TestInputThatBreaksOff(t *testing.T) {
	status, stdout, stderr := run(t, iotest.ErrReader(io.ErrUnexpectedEOF), false, "get")
	if status != 1 || stdout != "reading standard input: unexpected EOF\n" || stderr != "docker-credential-acr: reading standard input: unexpected EOF\n" {
		t.Errorf("%d, %q, %q", status, stdout, stderr)
	}
}

func TestTheTraceRedacts(t *testing.T) {
	var errs bytes.Buffer
	began := time.Unix(0, 0)
	w := World{Stderr: &errs, Environ: []string{"DOCKER_CREDENTIAL_ACR_TRACE=1"}, Now: func() time.Time { return began }}
	log := w.logger()
	log.Debug("step", "secret", secret.New("c4n4ry"), "token", secret.Token{Value: secret.New("c4n4ry")}, "empty", "", slog.Int("n", 1))
	if strings.Contains(errs.String(), "c4n4ry") || !strings.HasPrefix(errs.String(), `docker-credential-acr: trace: 0 ms: step secret="[redacted]"`) {
		t.Error(errs.String())
	}
}

// TestNoTokenOnATerminal also holds that nothing is asked for before.
func TestNoTokenOnATerminal(t *testing.T) {
	var out, errs bytes.Buffer
	w := World{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, ToTerminal: true, Now: time.Now,
		Environ: []string{"DOCKER_CREDENTIAL_ACR_KEYRING=none"}, Transport: http.NewFileTransport(http.Dir(t.TempDir())),
	}
	const refusal = "docker-credential-acr: contoso.azurecr.io: a token is not printed to a terminal: pipe it to where it is needed, or say --force\n"
	if status := Run(t.Context(), w, []string{"token", "contoso.azurecr.io"}); status != 1 || out.Len() > 0 || errs.String() != refusal {
		t.Errorf("%d, %q, %q", status, out.String(), errs.String())
	}
	errs.Reset()
	if Run(t.Context(), w, []string{"token", "contoso.azurecr.io", "--force"}); !strings.Contains(errs.String(), "nobody is signed in") {
		t.Errorf("with --force: %q", errs.String())
	}
}
