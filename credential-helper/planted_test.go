package credhelper_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// planted is a helper with some stored logins, whose files another program replaces without the key.
type planted struct {
	*testing.T
	*credhelper.Helper
	cloud  *azuretest.Cloud
	vault  string
	stored map[string]string // secrets by server
}

func newPlanted(t *testing.T) planted {
	t.Helper()
	cloud := azuretest.Start(t)
	home := t.TempDir()
	p := planted{T: t, cloud: cloud, vault: filepath.Join(home, "vault"), stored: map[string]string{
		"https://index.docker.io/v1/": "hub-password", "ghcr.io": "ghcr-password", "contoso.azurecr.io": "admin-password",
		"fabrikam.azurecr.io": "scoped-password",
	}}
	p.Helper = credhelper.New(credhelper.WithTransport(cloud.Transport()), credhelper.WithEnvironment([]string{
		"DOCKER_CREDENTIAL_ACR_HOME=" + home, "DOCKER_CREDENTIAL_ACR_KEYRING=file", "PATH=",
	}))
	for server, secret := range p.stored {
		if err := p.Add(&credentials.Credentials{ServerURL: server, Username: "ada", Secret: secret}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// file returns the path of the login of a server or pattern.
func (p planted) file(server string) string {
	name := fmt.Sprintf("5:login%d:%s", len(server), server)
	sum := sha256.Sum256([]byte(name))
	dir := ""
	if strings.Contains(server, "*") {
		dir = "patterns"
	}
	spaces, err := filepath.Glob(filepath.Join(p.vault, "file-*"))
	if err != nil || len(spaces) != 1 {
		p.Fatalf("%v, %v", spaces, err)
	}
	if err := os.MkdirAll(filepath.Join(spaces[0], dir), 0o700); err != nil {
		p.Fatal(err)
	}
	return filepath.Join(spaces[0], dir, hex.EncodeToString(sum[:20])+".login")
}

func (p planted) read(server string) []byte {
	content, err := os.ReadFile(p.file(server))
	if err != nil {
		p.Fatal(err)
	}
	return content
}

func (p planted) write(server string, content []byte) {
	if err := os.WriteFile(p.file(server), content, 0o600); err != nil {
		p.Fatal(err)
	}
}

// check gets the credential of each server. None may be another server's.
func (p planted) check(what string, servers ...string) {
	p.T.Helper()
	for _, server := range servers {
		_, secret, err := p.Get(server)
		if err == nil && secret != p.stored[server] {
			p.Errorf("%s: %s returns %q", what, server, secret)
		}
	}
	if _, err := p.List(); err != nil {
		p.Errorf("%s: %v", what, err)
	}
}

// TestHelper_Get_with_planted_files copies each stored login to every other server's and pattern's name, as a whole or only
// its unencrypted part. No server's secret is returned for another one, and nothing is requested from Azure.
func TestHelper_Get_with_planted_files(t *testing.T) {
	p := newPlanted(t)
	servers := slices.Sorted(maps.Keys(p.stored))
	targets := append([]string{"evil.azurecr.io", "evil.example", "*.azurecr.io", "c*.azurecr.io"}, servers...)
	for _, from := range servers {
		content := p.read(from)
		lines := bytes.SplitAfterN(content, []byte("\n"), 3)
		header := slices.Concat(lines[0], lines[1])
		for _, to := range targets {
			if to == from {
				continue
			}
			before, err := os.ReadFile(p.file(to))
			for what, planted := range map[string][]byte{"the file": content, "the header": append(slices.Clone(header), "junk"...)} {
				p.write(to, planted)
				p.check(what+" of "+from+" as that of "+to, append(servers, "evil.azurecr.io", "evil.example")...)
			}
			if err != nil {
				_ = os.Remove(p.file(to))
			} else {
				p.write(to, before)
			}
		}
	}
	for server, want := range p.stored { // the true ones are still there
		if _, secret, err := p.Get(server); err != nil || secret != want {
			t.Errorf("%s: %q, %v", server, secret, err)
		}
	}
	if requests := p.cloud.Requests(); len(requests) > 0 {
		t.Errorf("%d requests", len(requests))
	}
}

// TestHelper_Get_with_a_planted_identity changes what the unencrypted part of a login says: each identity that needs no
// secret. Without the key it is an error, and chooses no identity.
func TestHelper_Get_with_a_planted_identity(t *testing.T) {
	const guid = "7d1c0000-0000-4000-8000-00000000abcd"
	token := filepath.Join(t.TempDir(), "token")
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://issuer","sub":"s","aud":"a"}`))
	if err := os.WriteFile(token, []byte("eyJhbGciOiJub25lIn0."+claims+"."), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, identity := range []string{
		`"identity":"anonymous"`,
		`"identity":"managed-identity"`, `"identity":"managed-identity","client":"` + guid + `"`,
		`"identity":"federated-token","client":"` + guid + `","tenant":"` + guid + `","tokenFile":"` + token + `"`,
		`"identity":"workload-identity","client":"` + guid + `","tenant":"` + guid + `","tokenFile":"` + token + `"`,
	} {
		p := newPlanted(t)
		content := p.read("contoso.azurecr.io")
		planted := bytes.Replace(content, []byte(`"identity":"registry-user"`), []byte(identity), 1)
		if bytes.Equal(planted, content) {
			t.Fatalf("%s", content)
		}
		p.write("contoso.azurecr.io", planted)
		_, _, err := p.Get("contoso.azurecr.io")
		failed, ok := errors.AsType[*credhelper.Error](err)
		if !ok || failed.Code != "login-damaged" {
			t.Errorf("%s: %v", identity, err)
		}
		if requests := p.cloud.Requests(); len(requests) > 0 {
			t.Errorf("%s: %d requests", identity, len(requests))
		}
	}
}

// TestHelper_Get_with_a_planted_keyspace adds a keyspace without a key, with a newer login that needs no secret and
// names nothing. It must not take the place of the stored one.
func TestHelper_Get_with_a_planted_keyspace(t *testing.T) {
	const server = "contoso.azurecr.io"
	for _, identity := range []string{"anonymous", "managed-identity"} {
		p := newPlanted(t)
		name := filepath.Base(p.file(server))
		space := filepath.Join(p.vault, "file-0000000000000000")
		if err := os.Mkdir(space, 0o700); err != nil {
			t.Fatal(err)
		}
		header := `{"server":"` + server + `","identity":"` + identity + `","fingerprint":"x","issued":"2050-01-01T00:00:00Z"}`
		content := []byte("docker-credential-acr vault 1\n" + header + "\njunk")
		if err := os.WriteFile(filepath.Join(space, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		user, secret, err := p.Get(server)
		if failed, ok := errors.AsType[*credhelper.Error](err); secret != p.stored[server] && (!ok || failed.Code != "login-key-gone") {
			t.Errorf("%s: %q, %q, %v", identity, user, secret, err)
		}
		if err := p.Delete(server); err != nil {
			t.Fatal(err)
		}
		if err := p.Add(&credentials.Credentials{ServerURL: server, Username: "ada", Secret: "new"}); err != nil {
			t.Fatal(err)
		}
		if _, secret, err := p.Get(server); err != nil || secret != "new" {
			t.Errorf("%s, after docker logout and docker login: %q, %v", identity, secret, err)
		}
	}
}
