package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
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
	if got := opened(&fromAfar); !strings.Contains(got, "its keyring (os) can't be reached from here") {
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

// sp is a service principal's login whose tenant nobody knows.
var sp = identity.Login{Server: "contoso.azurecr.io", Kind: identity.ServicePrincipal, ClientID: "c"}

func TestALoginIsOpenedAsItWasFound(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	put := func(user string) {
		t.Helper()
		l := identity.Login{Server: "ghcr.io", Kind: identity.RegistryUser, User: user}
		if _, err := v.PutLogin(t.Context(), l, secret.New(user+"'s")); err != nil {
			t.Fatal(err)
		}
	}
	put("ada")
	ada, err := v.Login("ghcr.io")
	if err != nil {
		t.Fatal(err)
	}
	put("bob")
	if s, err := v.Secret(t.Context(), *ada); !errors.Is(err, ErrChanged) {
		t.Errorf("ada's login opened to %q, %v", s.Reveal(), err)
	}
	if _, err := v.Erase(t.Context(), "ghcr.io", is("ghcr.io")); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Secret(t.Context(), *ada); !errors.Is(err, ErrChanged) {
		t.Errorf("after erase: %v", err)
	}
}

func TestLearningATenantUndoesNothing(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	if _, err := v.PutLogin(t.Context(), sp, secret.New("old")); err != nil {
		t.Fatal(err)
	}
	found, err := v.Login(sp.Server)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.PutLogin(t.Context(), sp, secret.New("new")); err != nil {
		t.Fatal(err)
	}
	if err := v.LearnTenant(t.Context(), *found, "tenant"); !errors.Is(err, ErrChanged) {
		t.Errorf("beside a newer login: %v", err)
	}
	found, err = v.Login(sp.Server)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := v.Secret(t.Context(), *found); err != nil || s.Reveal() != "new" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
	if err := v.LearnTenant(t.Context(), *found, "tenant"); err != nil {
		t.Fatal(err)
	}
	learned, err := v.Login(sp.Server)
	if err != nil || learned.Tenant != "tenant" || learned.Fingerprint != found.Fingerprint {
		t.Errorf("%+v, %v", learned, err)
	}
	if _, err := v.Erase(t.Context(), sp.Server, is(sp.Server)); err != nil {
		t.Fatal(err)
	}
	if err := v.LearnTenant(t.Context(), *found, "tenant"); !errors.Is(err, ErrChanged) {
		t.Errorf("after erase: %v", err)
	}
	if left, err := v.Login(sp.Server); left != nil || err != nil {
		t.Errorf("erase was undone: %+v, %v", left, err)
	}
}

func TestErasingBesideStoring(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 50 {
				if _, err := v.PutLogin(t.Context(), sp, secret.New("s")); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 50 {
				if _, err := v.Erase(t.Context(), sp.Server, is(sp.Server)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// TestTheLatestLoginCountsEvenIfTheClockWasAhead loses the key of a login that
// was stored with a clock that ran ahead.
func TestTheLatestLoginCountsEvenIfTheClockWasAhead(t *testing.T) {
	k := newKeys("os")
	v, c := newVault(t, k)
	c.advance(24 * time.Hour)
	if _, err := v.PutLogin(t.Context(), sp, secret.New("lost")); err != nil {
		t.Fatal(err)
	}
	c.advance(-24 * time.Hour)
	k.byID["os"] = nil
	if _, err := v.PutLogin(t.Context(), sp, secret.New("kept")); err != nil {
		t.Fatal(err)
	}
	l, err := v.Login(sp.Server)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := v.Secret(t.Context(), *l); err != nil || s.Reveal() != "kept" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
}

func TestADamagedLoginIsNotPassedOver(t *testing.T) {
	k := newKeys("os", "kernel")
	v, _ := newVault(t, k)
	if _, err := v.PutLogin(t.Context(), sp, secret.New("newest")); err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(filepath.Join(v.Dir, "os-*", loginName(sp.Server)))
	if err := os.Truncate(paths[0], 20); err != nil {
		t.Fatal(err)
	}
	delete(k.byID, "os")
	if _, err := v.PutLogin(t.Context(), sp, secret.New("other")); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Login(sp.Server); !errors.Is(err, sealed.ErrDamaged) {
		t.Errorf("%v", err)
	}
}
