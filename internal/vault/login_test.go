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
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

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
	if _, err := v.Login("contoso.azurecr.io"); !errors.Is(err, sealed.ErrNewer) {
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
