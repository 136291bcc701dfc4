package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

var person = identity.Login{Server: "*.azurecr.io", Kind: identity.User, User: "ada@contoso.com", ClientID: "client", Method: identity.MethodBrowser}

// stored puts a login and finds it again.
func stored(t *testing.T, v *Vault, l identity.Login, value string) identity.Login {
	t.Helper()
	if _, err := v.PutLogin(t.Context(), l, secret.New(value)); err != nil {
		t.Fatal(err)
	}
	found, err := v.Login(l.Server)
	if err != nil || found == nil {
		t.Fatalf("%v, %v", found, err)
	}
	return *found
}

// TestUpdatesAreOneAfterTheOther has many renew a person at once: each sees what
// the one before it made, and the login stays the same login.
func TestUpdatesAreOneAfterTheOther(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	l := stored(t, v, person, "0")
	const n = 20
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			err := v.Update(t.Context(), l, func(s secret.String) (secret.String, error) {
				count, err := strconv.Atoi(s.Reveal())
				return secret.New(strconv.Itoa(count + 1)), err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	now, err := v.Login(l.Server)
	if err != nil || now.Fingerprint != l.Fingerprint {
		t.Fatalf("%v, %v: tokens that were earned by it are lost", now, err)
	}
	if s, err := v.Secret(t.Context(), *now); err != nil || s.Reveal() != strconv.Itoa(n) {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
}

func TestAnUpdateIsKeptThoughItFailed(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	l := stored(t, v, person, "before")
	refused := errors.New("refused")
	err := v.Update(t.Context(), l, func(secret.String) (secret.String, error) { return secret.New("with claims"), refused })
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if s, err := v.Secret(t.Context(), l); err != nil || s.Reveal() != "with claims" {
		t.Errorf("%q, %v", s.Reveal(), err)
	}
}

// TestAnUpdateThatCantBeKeptIsNoFailure: what it earned is worth more.
func TestAnUpdateThatCantBeKeptIsNoFailure(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("as root every directory can be written to, so a file takes its place")
	}
	v, _ := newVault(t, newKeys("os"))
	l := stored(t, v, person, "before")
	err := v.Update(t.Context(), l, func(secret.String) (secret.String, error) {
		compartment := filepath.Join(v.Dir, l.Compartment)
		if err := os.Rename(compartment, compartment+".away"); err != nil {
			t.Fatal(err)
		}
		return secret.New("after"), os.WriteFile(compartment, nil, 0o600)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAnUpdateOfALoginThatWasReplaced(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	old := stored(t, v, person, "old")
	stored(t, v, person, "new")
	err := v.Update(t.Context(), old, func(secret.String) (secret.String, error) {
		t.Error("somebody else's login was used")
		return secret.New("mixed up"), nil
	})
	if !errors.Is(err, ErrChanged) {
		t.Error(err)
	}
}

func TestPatterns(t *testing.T) {
	v, _ := newVault(t, newKeys("os", "kernel"))
	if patterns, err := v.Patterns(); err != nil || len(patterns) != 0 {
		t.Errorf("an empty vault has %q, %v", patterns, err)
	}
	stored(t, v, identity.Login{Server: "contoso.azurecr.io", Kind: identity.RegistryUser, User: "u"}, "s")
	stored(t, v, person, "s")
	if patterns, err := v.Patterns(); err != nil || strings.Join(patterns, " ") != "*.azurecr.io" {
		t.Errorf("%q, %v", patterns, err)
	}

	// One that can't be read is an error, not absent: it may have been for this host.
	paths, _ := filepath.Glob(filepath.Join(v.Dir, "os-*", "*"+patternSuffix))
	if err := os.WriteFile(paths[0], []byte("docker-credential-acr vault 9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var unreadable *LoginError
	if _, err := v.Patterns(); !errors.As(err, &unreadable) || unreadable.Code() != CodeNewer {
		t.Errorf("a later version's: %v", err)
	}

	// Erasing one takes the tokens of what it covered along, and nothing else.
	if _, err := v.Erase(t.Context(), "*.azurecr.io", func(server string) bool { return strings.HasSuffix(server, ".azurecr.io") }); err != nil {
		t.Fatal(err)
	}
	if patterns, err := v.Patterns(); err != nil || len(patterns) != 0 {
		t.Errorf("%q, %v", patterns, err)
	}
	if l, err := v.Login("contoso.azurecr.io"); err != nil || l == nil {
		t.Errorf("the login of a host that the pattern covers is gone: %v", err)
	}
}

// TestAnUpdateNeverReplacesWhatCameMeanwhile: whoever stores or erases a login may
// have to do without its lock, while a slow renewal holds it.
func TestAnUpdateNeverReplacesWhatCameMeanwhile(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	s, err := v.sealer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := stored(t, v, person, "before")
	newer := l
	newer.Fingerprint, newer.User = "another", "grace@contoso.com"
	err = v.Update(t.Context(), l, func(secret.String) (secret.String, error) {
		return secret.New("renewed"), v.putLogin(s, newer, []byte("hers"))
	})
	if err != nil {
		t.Fatal(err)
	}
	now, err := v.Login(l.Server)
	if err != nil || now.User != newer.User {
		t.Fatalf("%v, %v", now, err)
	}
	err = v.Update(t.Context(), *now, func(secret.String) (secret.String, error) {
		return secret.New("renewed"), os.Remove(filepath.Join(v.Dir, now.Compartment, loginName(now.Server)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := v.Login(l.Server); err != nil || now != nil {
		t.Errorf("a login that was erased is back: %v, %v", now, err)
	}
}
