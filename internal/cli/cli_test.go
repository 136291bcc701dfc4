package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
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

// TestEveryCodeHasAHint also holds that each hint is one line that stands by
// itself, and that no command of ours is recommended that doesn't exist.
func TestEveryCodeHasAHint(t *testing.T) {
	for _, code := range []string{
		identity.CodeConfig, identity.CodeConfigMode, identity.CodeNoSecret, identity.CodeNoAzureCLI,
		identity.CodeHalfSet, identity.CodeBadVariable, identity.CodeWrongCloud,
		authority.CodeThrottled, authority.CodeTrouble, authority.CodeOther,
		devtool.CodeAzMissing, devtool.CodeAzSignedOut, devtool.CodeAzTimeout, devtool.CodeAzFailed, devtool.CodeAzOtherTenant,
		exchange.CodeUnauthorized, exchange.CodeFirewall, exchange.CodeDenied, exchange.CodeNotFound, exchange.CodeTooLarge,
		exchange.CodeThrottled, exchange.CodeTrouble, exchange.CodeOther, exchange.CodeExpired,
		guard.CodeStranger, guard.CodeRedirect, guard.CodeNotJSON, guard.CodeTooLong, guard.CodeDNS, guard.CodeTLS,
		guard.CodeProxy, guard.CodeTimeout, guard.CodeBroken, guard.CodeUnreachable,
		vault.CodeSealed, vault.CodeElsewhere, vault.CodeKeyGone, vault.CodeNewer, vault.CodeDamaged, vault.CodeVault, vault.CodeChanged,
	} {
		hint := hints[code]
		if hint == "" || strings.Contains(hint, "\n") || strings.HasSuffix(hint, ".") || strings.Contains(hint, "docker-credential-acr ") {
			t.Errorf("%s: %q", code, hint)
		}
	}
}

func TestAdviceDependsOnWhoItIs(t *testing.T) {
	expired := func(identity, source string) error {
		return &credhelper.Error{Registry: "contoso.azurecr.io", Identity: identity, Source: source, Err: fmt.Errorf("signing in: %w", &authority.Error{AADSTS: 7000222})}
	}
	for _, row := range []struct {
		err  error
		says string
	}{
		{expired("service principal 7d1c", "AZURE_CLIENT_ID"), "az ad app credential reset --id 7d1c, and set AZURE_CLIENT_SECRET"},
		{expired("service principal 7d1c", "a stored login"), "docker login contoso.azurecr.io -u 7d1c"},
		{expired("Azure CLI's ada@contoso.example", "config file x"), "; hint: run: az login --service-principal"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Source: "config file x", Err: &authority.Error{AADSTS: 90002}}, "check tenant in the config file"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &authority.Error{AADSTS: 12345}}, "DOCKER_CREDENTIAL_ACR_TRACE=1"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &vault.Failure{Text: "x", Hint: exchange.CodeFirewall}}, "az acr network-rule add"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: &vault.LoginError{Server: "contoso.azurecr.io", Why: errors.New("locked")}}, "docker logout contoso.azurecr.io"},
		{&credhelper.Error{Registry: "contoso.azurecr.io", Err: errors.New("x")}, "contoso.azurecr.io: x"},
		{&credhelper.NotFoundError{}, ""},
		{errors.New("x"), "x"},
	} {
		got := advice(row.err)
		if !strings.Contains(got, row.says) || row.says == "" && got != "" || strings.Contains(got, "\n") {
			t.Errorf("%v: %q", row.err, got)
		}
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
