package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// testKey sealed testdata/v1.login.
var testKey = bytes.Repeat([]byte{7}, 32)

// TestVersion1IsReadForEver opens a file as version 1 of the format was first
// written. It must pass unchanged for as long as there is a reader.
func TestVersion1IsReadForEver(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "v1.login"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := parse(loginName("contoso.azurecr.io"), content)
	if err != nil {
		t.Fatal(err)
	}
	want := header{
		Login: identity.Login{
			Server: "contoso.azurecr.io", Kind: identity.ServicePrincipal, Tenant: "tenant", ClientID: "client", Fingerprint: "fingerprint",
		},
		Issued: time.Unix(1_800_000_000, 0).UTC(),
	}
	if f.header != want {
		t.Errorf("header %+v", f.header)
	}
	if plain, err := f.unseal(testKey); err != nil || string(plain) != "the secret" {
		t.Errorf("%q, %v", plain, err)
	}
}

// TestALoginSurvivesAVersionToAndFro lives through an upgrade and a downgrade:
// a program that meets a later version's login says so, and leaves it in place.
func TestALoginSurvivesAVersionToAndFro(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	if _, err := v.PutLogin(t.Context(), identity.Login{Server: "contoso.azurecr.io", Kind: identity.RegistryUser, User: "u"}, secret.New("s")); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(v.Dir, "os-*", loginName("contoso.azurecr.io")))
	ours, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	theirs := bytes.Replace(ours, []byte("vault 1\n"), []byte("vault 2\n"), 1)
	if err := os.WriteFile(paths[0], theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Login("contoso.azurecr.io"); !errors.Is(err, ErrNewer) {
		t.Errorf("a later version's login: %v", err)
	}
	if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, mint(v, new(atomic.Int32))); err != nil {
		t.Error(err) // sweeps
	}
	if left, _ := os.ReadFile(paths[0]); !bytes.Equal(left, theirs) {
		t.Error("a later version's login was changed")
	}
	if err := os.WriteFile(paths[0], ours, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := v.Login("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	if s, err := v.Secret(t.Context(), *l); err != nil || s.Reveal() != "s" {
		t.Errorf("%v", err)
	}
}

func TestNoEntryPassesForAnother(t *testing.T) {
	h := header{Login: identity.Login{Server: "contoso.azurecr.io"}}
	content, err := seal(h, "a.token", testKey, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string, content, key []byte) error {
		f, err := parse(name, content)
		if err != nil {
			return err
		}
		_, err = f.unseal(key)
		return err
	}
	if err := open("a.token", content, testKey); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what, name string
		content    []byte
		key        []byte
	}{
		{"under another name", "b.token", content, testKey},
		{"with another key", "a.token", content, bytes.Repeat([]byte{8}, 32)},
		{"with another host", "a.token", bytes.Replace(content, []byte("contoso"), []byte("fabriko"), 1), testKey},
		{"cut off", "a.token", content[:len(content)-1], testKey},
		{"without a body", "a.token", content[:bytes.LastIndexByte(content[:80], '\n')+1], testKey},
		{"empty", "a.token", nil, testKey},
		{"with a broken header", "a.token", bytes.Replace(content, []byte("{"), []byte("["), 1), testKey},
	} {
		if err := open(row.name, row.content, row.key); !errors.Is(err, ErrDamaged) {
			t.Errorf("an entry %s: %v", row.what, err)
		}
	}
}

func TestOfSeveralLoginsTheNewestThatCanBeOpenedCounts(t *testing.T) {
	desktop, ssh := newKeys("os", "kernel"), newKeys("kernel")
	v, c := newVault(t, desktop)
	fromAfar := *v
	fromAfar.Keys = ssh
	put := func(v *Vault, user string) {
		t.Helper()
		c.advance(time.Second)
		if _, err := v.PutLogin(t.Context(), identity.Login{Server: "ghcr.io", Kind: identity.RegistryUser, User: user}, secret.New(user)); err != nil {
			t.Fatal(err)
		}
	}
	opened := func(v *Vault) string {
		l, err := v.Login("ghcr.io")
		if err != nil || l == nil {
			return "nothing"
		}
		s, err := v.Secret(t.Context(), *l)
		if err != nil {
			return err.Error()
		}
		return s.Reveal()
	}
	put(v, "desktop")
	if got := opened(&fromAfar); !strings.Contains(got, `the "os" keyring, which can't be reached`) {
		t.Errorf("over SSH: %s", got)
	}
	put(&fromAfar, "ssh")
	desktop.byID["kernel"] = ssh.byID["kernel"] // the same machine
	if got := opened(&fromAfar); got != "ssh" {
		t.Errorf("over SSH: %s", got)
	}
	if got := opened(v); got != "ssh" {
		t.Errorf("on the desktop, after a newer login over SSH: %s", got)
	}
	put(v, "desktop again")
	if got := opened(v); got != "desktop again" {
		t.Errorf("on the desktop: %s", got)
	}
}

// FuzzParse holds that whatever opens is what was sealed, to the letter.
func FuzzParse(f *testing.F) {
	content, err := os.ReadFile(filepath.Join("testdata", "v1.login"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte("docker-credential-acr vault 2\n"))
	f.Add([]byte("docker-credential-acr vault 1\n{}\n"))
	f.Fuzz(func(t *testing.T, mutated []byte) {
		parsed, err := parse(loginName("contoso.azurecr.io"), mutated)
		if err != nil {
			return
		}
		if plain, err := parsed.unseal(testKey); err == nil && !bytes.Equal(mutated, content) {
			t.Errorf("%q opens to %q", mutated, plain)
		}
	})
}
