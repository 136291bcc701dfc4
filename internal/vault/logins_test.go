package vault

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

var (
	// principal is the login of a service principal whose tenant is not known.
	principal = identity.Login{Server: contoso, Kind: identity.ServicePrincipal, ClientID: "c"}

	user = identity.Login{
		Server: "*.azurecr.io", Kind: identity.User, User: "ada@contoso.com", ClientID: "client",
		Method: identity.MethodBrowser,
	}
)

func TestSession_Login_returns_the_newest_that_can_be_opened(t *testing.T) {
	desktop := newVault(t, "os", "kernel")
	ssh := desktop.with(newKeys("kernel"))
	desktop.put(principal, "desktop")
	ssh.expectSecret(contoso, "can't open the stored login: its key is in the OS keyring, which is not available in this session")
	desktop.advance(time.Second)
	ssh.put(principal, "ssh")
	desktop.keys.byName["kernel"] = ssh.keys.byName["kernel"] // the same computer
	ssh.expectSecret(contoso, "ssh")
	desktop.expectSecret(contoso, "ssh")
	desktop.advance(time.Second)
	desktop.put(principal, "desktop again")
	desktop.expectSecret(contoso, "desktop again")

	t.Run("even if the clock was ahead", func(t *testing.T) {
		v := newVault(t, "os")
		v.advance(24 * time.Hour)
		v.put(principal, "lost with its key")
		v.advance(-24 * time.Hour)
		v.keys.byName["os"] = nil
		v.put(principal, "new")
		v.expectSecret(contoso, "new")
	})
}

func TestSession_Login_does_not_skip_a_damaged_login(t *testing.T) {
	v := newVault(t, "os", "kernel")
	v.put(principal, "newest")
	if err := os.Truncate(v.files("os-*/*.login")[0], 20); err != nil {
		t.Fatal(err)
	}
	delete(v.keys.byName, "os")
	must(v.session().PutLogin(t.Context(), principal, secret.New("other")))
	if _, err := v.session().Login(contoso); !fault.Is(err, fault.LoginDamaged) {
		t.Errorf("%v", err)
	}
	v.keys.backends = []string{"kernel"} // now the damaged one is in a keyspace that doesn't count
	v.expectSecret(contoso, "other")
}

func TestSession_Secret(t *testing.T) {
	v := newVault(t, "os")
	old := v.put(principal, "old")
	l := v.put(principal, "new")
	key := v.keys.byName["os"]
	for _, row := range []struct {
		what   string
		login  identity.Login
		change func()
		want   fault.Code
	}{
		{"a replaced login", old, func() {}, fault.LoginChanged},
		{"no key", l, func() { v.keys.byName["os"] = nil }, fault.LoginKeyGone},
		{"another key", l, func() { v.keys.byName["os"] = make([]byte, 32) }, fault.LoginKeyGone},
		{"locked", l, func() { delete(v.keys.byName, "os") }, fault.LoginKeyring},
		{"backend not used", l, func() { v.keys.backends = nil }, fault.LoginElsewhere},
		{"the key is back", l, func() { v.keys.backends, v.keys.byName["os"] = []string{"os"}, key }, ""},
		{"a deleted login", l, func() { v.erase(contoso) }, fault.LoginChanged},
	} {
		row.change()
		value, err := v.session().Secret(t.Context(), row.login)
		if fault.CodeOf(err) != row.want || fault.Has(err, fault.KeyringLocked) != (row.want == fault.LoginKeyring) ||
			err == nil && value.Reveal() != "new" {
			t.Errorf("%s: %v, want %s", row.what, err, row.want)
		}
	}
}

func TestSession_PutLogin_after_another_process_deleted_the_keyspace(t *testing.T) {
	v := newVault(t, "os")
	v.put(principal, "old")
	s := v.session()
	l := must(s.Login(contoso))
	if err := os.RemoveAll(filepath.Join(v.Dir, l.Keyspace)); err != nil {
		t.Skip("a directory that is open can't be deleted here: ", err)
	}
	must(s.PutLogin(t.Context(), principal, secret.New("new")))
	v.expectSecret(contoso, "new")
}

func TestSession_SetTenant(t *testing.T) {
	v := newVault(t, "os")
	old := v.put(principal, "old")
	l := v.put(principal, "new")
	s := v.session()
	if err := s.SetTenant(t.Context(), old, "tenant"); !IsChanged(err) {
		t.Errorf("a replaced login: %v", err)
	}
	v.expectSecret(contoso, "new")
	if err := s.SetTenant(t.Context(), l, "tenant"); err != nil {
		t.Fatal(err)
	}
	want := l
	want.Tenant = "tenant"
	if got := must(s.Login(contoso)); *got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
	v.expectSecret(contoso, "new")
	v.erase(contoso)
	if err := s.SetTenant(t.Context(), l, "tenant"); !IsChanged(err) {
		t.Errorf("after Erase: %v", err)
	}
	v.expectSecret(contoso, "none")
}

// TestUpdate_one_at_a_time has many processes renew a user's tokens: each sees what the one before it stored, and the
// login stays the same login, so that tokens which it got are still found.
func TestUpdate_one_at_a_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that waiting for the lock takes no time
		v := newVault(t, "os")
		l := v.put(user, "0")
		const n = 20
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				s := v.Open()
				defer s.Close()
				if err := s.Update(t.Context(), l, func(value secret.String) (secret.String, error) {
					count, err := strconv.Atoi(value.Reveal())
					return secret.New(strconv.Itoa(count + 1)), err
				}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if now := must(v.session().Login(l.Server)); *now != l {
			t.Fatalf("%+v; want %+v", now, l)
		}
		v.expectSecret(l.Server, strconv.Itoa(n))
	})
}

func TestSession_Update(t *testing.T) {
	refused := errors.New("refused")
	tooLong := strings.Repeat("x", keyspace.MaxFile)
	for _, row := range []struct {
		what, after string
		err         error
		want        string
	}{
		{"stores the new secret", "after", nil, "after"},
		{"stores it even with an error", "with claims", refused, "with claims"},
		{"keeps the old secret for none", "", refused, "before"},
		{"does not fail if it can't be stored", tooLong, nil, "before"}, // the result is worth more
	} {
		t.Run(row.what, func(t *testing.T) {
			v := newVault(t, "os")
			l := v.put(user, "before")
			err := v.session().Update(t.Context(), l, func(secret.String) (secret.String, error) {
				return secret.New(row.after), row.err
			})
			if err != row.err {
				t.Error(err)
			}
			v.expectSecret(l.Server, row.want)
		})
	}
	t.Run("does not use a login that replaced it", func(t *testing.T) {
		v := newVault(t, "os")
		old := v.put(user, "old")
		v.put(user, "new")
		err := v.session().Update(t.Context(), old, func(secret.String) (secret.String, error) {
			t.Error("it used another login")
			return secret.New("mixed up"), nil
		})
		if !IsChanged(err) {
			t.Error(err)
		}
	})
	// Another process that stores or deletes a login may have to do without its lock, while a slow renewal holds it.
	for _, row := range []struct {
		what      string
		meanwhile func(v *fixture, l identity.Login) error
		want      string
	}{
		{"does not replace a login that was stored meanwhile", func(v *fixture, l identity.Login) error {
			l.Fingerprint, l.User = "another", "grace@contoso.com"
			s := v.session()
			return s.writeLogin(must(s.sealer(t.Context(), true)), l, secret.New("hers"))
		}, "hers"},
		{"does not bring back a login that was deleted meanwhile", func(v *fixture, l identity.Login) error {
			return os.Remove(filepath.Join(v.Dir, l.Keyspace, loginName(l.Server)))
		}, "none"},
	} {
		t.Run(row.what, func(t *testing.T) {
			v := newVault(t, "os")
			l := v.put(user, "before")
			err := v.session().Update(t.Context(), l, func(secret.String) (secret.String, error) {
				return secret.New("renewed"), row.meanwhile(v, l)
			})
			if err != nil {
				t.Fatal(err)
			}
			v.expectSecret(l.Server, row.want)
		})
	}
}

func TestSession_Patterns(t *testing.T) {
	v := newVault(t, "os", "kernel")
	expect := func(want string) {
		t.Helper()
		if got := strings.Join(must(v.session().Patterns()), " "); got != want {
			t.Errorf("the patterns are %q, want %q", got, want)
		}
	}
	expect("")
	v.put(principal, "s")
	v.put(user, "s")
	expect("*.azurecr.io")

	// One that can't be read is an error, not absent: it may have been for this host.
	writeFile(t, v.files("os-*/" + patternsDir + "/*")[0], []byte("docker-credential-acr vault 9\n"))
	s := v.session()
	if _, err := s.Patterns(); !fault.Is(err, fault.LoginNewer) || !errors.Is(err, ErrPattern) {
		t.Errorf("of a newer version: %v", err)
	}

	// Erase deletes the pattern's login, and none of a host that the pattern covers.
	covers := func(server string) bool { return strings.HasSuffix(server, ".azurecr.io") }
	must(s.Erase(t.Context(), "*.azurecr.io", covers))
	expect("")
	v.expectSecret(contoso, "s")
}
