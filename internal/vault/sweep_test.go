package vault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// keyspaceNames returns the keyspaces' directories.
func (f *fixture) keyspaceNames() (names []string) {
	entries, err := os.ReadDir(f.Dir)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), "-") {
			names = append(names, e.Name())
		}
	}
	return names
}

// TestSession_sweepKeyspaces: after each reboot the kernel keyring has a new key. Keyspaces of earlier ones are deleted
// a week later, unless they have a login, or are empty.
func TestSession_sweepKeyspaces(t *testing.T) {
	v := newVault(t, keystore.Kernel)
	store := func(v *fixture) {
		t.Helper()
		s := v.Open()
		defer s.Close()
		token := secret.Token{Value: secret.New("t"), Issued: v.Now(), Expires: v.Now().Add(3 * time.Hour)}
		if err := s.PutToken(t.Context(), host("contoso.azurecr.io"), StoredToken, token, ""); err != nil {
			t.Fatal(err)
		}
	}
	store(v)
	withLogin := v.with(newKeys(keystore.Kernel))
	s := withLogin.Open()
	if _, err := s.PutLogin(t.Context(), identity.Login{Server: "x.azurecr.io", Kind: identity.RegistryUser, User: "a"}, secret.New("p")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	store(v.with(newKeys(keystore.File))) // another backend's, which may be at hand elsewhere
	if err := os.Mkdir(filepath.Join(v.Dir, "kernel-0123456789abcdef"), 0o700); err != nil {
		t.Fatal(err)
	}
	rebooted := v.with(newKeys(keystore.Kernel))
	store(rebooted)
	if got := v.keyspaceNames(); len(got) != 5 {
		t.Fatalf("before a week: %q", got)
	}
	v.advance(sweepKeyspaceAfter + time.Hour)
	store(rebooted)
	if got := v.keyspaceNames(); len(got) != 4 {
		t.Errorf("after a week: %q", got)
	}
	s = withLogin.Open()
	defer s.Close()
	if l, err := s.Login("x.azurecr.io"); l == nil || err != nil {
		t.Errorf("the login of an earlier key: %v, %v", l, err)
	}
}
