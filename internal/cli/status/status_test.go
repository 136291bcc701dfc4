package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// golden is what users' scripts read: fields may be added, none may change.
const golden = `{
  "registries": [
    {
      "registry": "contoso.azurecr.io",
      "identity": "service principal 7d1c0000-0000-4000-8000-00000000abcd",
      "kind": "service-principal",
      "tenant": "contoso.example",
      "clientId": "7d1c0000-0000-4000-8000-00000000abcd",
      "source": "a stored login",
      "login": true,
      "keyring": "file",
      "keyringAvailable": true,
      "keyFile": {
        "path": "HOME/vault/key",
        "madeOn": "TIME"
      },
      "token": {
        "state": "fresh",
        "receivedOn": "2026-01-02T03:04:05Z",
        "expiresOn": "2026-01-02T06:04:05Z",
        "renewsOn": "2026-01-02T04:34:05Z"
      }
    },
    {
      "registry": "fabrikam.azurecr.io",
      "identity": "a stored ACR token",
      "kind": "acr-token",
      "source": "a stored token",
      "keyring": "file",
      "keyringAvailable": true,
      "keyFile": {
        "path": "HOME/vault/key",
        "madeOn": "TIME"
      },
      "token": {
        "state": "fresh",
        "receivedOn": "2026-01-02T03:04:05Z",
        "expiresOn": "2026-01-02T06:04:05Z"
      }
    },
    {
      "registry": "https://index.docker.io/v1/",
      "identity": "registry user \"ada\"",
      "kind": "registry-user",
      "source": "a stored login",
      "login": true,
      "keyring": "file",
      "keyringAvailable": true,
      "keyFile": {
        "path": "HOME/vault/key",
        "madeOn": "TIME"
      }
    },
    {
      "registry": "tailspin.azurecr.io",
      "kind": "anonymous",
      "source": "a stored login"
    }
  ]
}
`

func TestReport(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var out bytes.Buffer
	home := t.TempDir()
	env := cmdutil.Env{Env: app.Env{
		Environ: []string{"DOCKER_CREDENTIAL_ACR_HOME=" + home, "DOCKER_CREDENTIAL_ACR_KEYRING=file"},
		Log:     slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Stdout: &out,
	}}
	a, err := app.Open(env.Env)
	if err != nil {
		t.Fatal(err)
	}
	s := a.Vault.Open()
	defer s.Close()
	const client = "7d1c0000-0000-4000-8000-00000000abcd"
	for _, l := range []identity.Login{
		{Server: "contoso.azurecr.io", Kind: identity.ServicePrincipal, Tenant: "contoso.example", ClientID: client},
		{Server: "https://index.docker.io/v1/", Kind: identity.RegistryUser, User: "ada"},
		{Server: "tailspin.azurecr.io", Kind: identity.Anonymous},
	} {
		if _, err := a.StoreLogin(t.Context(), s, l, secret.New("c4n4ry")); err != nil {
			t.Fatal(err)
		}
	}
	contoso, _ := registry.ParseHost("contoso.azurecr.io")
	fabrikam, _ := registry.ParseHost("fabrikam.azurecr.io")
	principal, err := a.Select(contoso)
	if err != nil {
		t.Fatal(err)
	}
	token := secret.Token{Value: secret.New("c4n4ry"), Issued: now, Expires: now.Add(3 * time.Hour)}
	err = errors.Join(
		s.PutToken(t.Context(), contoso, principal, token, ""),
		s.PutToken(t.Context(), fabrikam, vault.StoredToken, token, ""))
	if err != nil {
		t.Fatal(err)
	}
	err = run(t.Context(), env, a, nil, true, false)
	quoted, _ := json.Marshal(filepath.Join(home, "vault", "key"))
	shown := strings.ReplaceAll(out.String(), string(quoted), `"HOME/vault/key"`)
	shown = regexp.MustCompile(`"madeOn": "[^"]+"`).ReplaceAllString(shown, `"madeOn": "TIME"`)
	if err != nil || shown != golden {
		t.Errorf("%v\n%s", err, shown)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Minute: "under 1m", 59 * time.Second: "under 1m", 90 * time.Second: "1m",
		time.Hour: "1h0m", 2*time.Hour + 41*time.Minute + 59*time.Second: "2h41m",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
