package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// keys is a key store in memory. A backend that isn't in the map is locked; one with a nil key works and has no key.
type keys struct {
	mu       sync.Mutex
	backends []string
	byName   map[string][]byte
	reads    int
	demanded bool
}

func newKeys(backends ...string) *keys {
	k := &keys{backends: backends, byName: map[string][]byte{}}
	for _, b := range backends {
		k.byName[b] = nil
	}
	return k
}

func (k *keys) Backends() []string { return k.backends }

func (k *keys) IsDemanded() bool { return k.demanded }

func (k *keys) Key(_ context.Context, backend string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	switch key, ok := k.byName[backend]; {
	case !ok:
		return nil, fault.New(fault.KeyringLocked, "the keyring is locked")
	case key == nil:
		return nil, keystore.ErrNotFound
	default:
		return key, nil
	}
}

func (k *keys) Create(ctx context.Context, backend string, lock keystore.Locker) ([]byte, error) {
	unlock, err := lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byName[backend] == nil {
		k.byName[backend] = make([]byte, keystore.KeySize)
		rand.Read(k.byName[backend])
	}
	return k.byName[backend], nil
}

func (k *keys) Delete(ctx context.Context, backend string, lock keystore.Locker) error {
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := k.Key(ctx, backend); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byName[backend] = nil
	return nil
}

// A fixture is a vault with keys in memory, a clock that the test moves, and an issuer of tokens.
type fixture struct {
	*Vault
	t        *testing.T
	keys     *keys
	advanced *time.Duration // since the test began at the real time, as the file system's clock does
	issued   *atomic.Int32  // how many tokens the issuer has issued
}

func newVault(t *testing.T, backends ...string) *fixture {
	t.Helper()
	start, advanced := time.Now().Round(0), new(time.Duration)
	v := &Vault{
		Dir: filepath.Join(t.TempDir(), "vault"),
		Now: func() time.Time { return start.Add(*advanced) }, Log: slog.New(slog.DiscardHandler),
	}
	f := &fixture{Vault: v, t: t, advanced: advanced, issued: new(atomic.Int32)}
	return f.with(newKeys(backends...))
}

// with returns the same vault as a process with other keyrings uses it.
func (f *fixture) with(k *keys) *fixture {
	other, v := *f, *f.Vault
	v.Keys = k
	other.Vault, other.keys = &v, k
	return &other
}

func (f *fixture) advance(d time.Duration) { *f.advanced += d }

// session opens the vault for the rest of the test.
func (f *fixture) session() *Session {
	s := f.Open()
	f.t.Cleanup(s.Close)
	return s
}

// issue issues a token of three hours: "token 1", then "token 2", …
func (f *fixture) issue(context.Context) (secret.Token, error) {
	value := fmt.Sprintf("token %d", f.issued.Add(1))
	return secret.Token{Value: secret.New(value), Issued: f.Now(), Expires: f.Now().Add(3 * time.Hour)}, nil
}

var errDown = errors.New("azure is down")

func down(context.Context) (secret.Token, error) { return secret.Token{}, errDown }

// get gets a token of contoso in a session of its own, as every get does. In place of the token it may return the text
// of an error.
func (f *fixture) get(id identity.Identity, fetch Fetch) string {
	s := f.Open()
	defer s.Close()
	got, err := s.Token(f.t.Context(), host(contoso), id, false, fetch)
	return textOf(got.Value, err)
}

func textOf(value secret.String, err error) string {
	if err != nil {
		return err.Error()
	}
	return value.Reveal()
}

// expect wants get to return a token or an error.
func (f *fixture) expect(want string, id identity.Identity, fetch Fetch) {
	f.t.Helper()
	if got := f.get(id, fetch); got != want {
		f.t.Errorf("it returns %q, want %q", got, want)
	}
}

// put stores a login, and returns what Login finds.
func (f *fixture) put(l identity.Login, value string) identity.Login {
	f.t.Helper()
	s := f.Open()
	defer s.Close()
	stored, err := s.PutLogin(f.t.Context(), l, secret.New(value))
	if err != nil {
		f.t.Fatal(err)
	}
	if found, err := s.Login(l.Server); err != nil || found == nil || *found != stored {
		f.t.Fatalf("found %+v, %v; stored %+v", found, err, stored)
	}
	return stored
}

// expectSecret wants a server's login to have a secret, or an error; "none" is for no login.
func (f *fixture) expectSecret(server, want string) {
	f.t.Helper()
	s := f.Open()
	defer s.Close()
	got := "none"
	l, err := s.Login(server)
	if err != nil {
		got = err.Error()
	} else if l != nil {
		got = textOf(s.Secret(f.t.Context(), *l))
	}
	if got != want {
		f.t.Errorf("the secret is %.99q, want %q", got, want)
	}
}

func (f *fixture) erase(server string) {
	f.t.Helper()
	if _, err := f.session().Erase(f.t.Context(), server, is(server)); err != nil {
		f.t.Fatal(err)
	}
}

// lock takes the lock under which app's token is fetched.
func (f *fixture) lock() (unlock func()) {
	return must(f.session().lock(f.t.Context(), newCacheKey(host(contoso), app).lock(), nil))
}

// files returns the paths of the vault's files that match a pattern.
func (f *fixture) files(pattern string) []string {
	return must(filepath.Glob(filepath.Join(f.Dir, filepath.FromSlash(pattern))))
}

func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func host(name string) registry.Host { return must(registry.ParseHost(name)) }

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// is covers one server.
func is(server string) func(string) bool { return func(s string) bool { return s == server } }

// TestVault_Open tests vaults that other users can reach: a login in them is an error, because ignoring it would select
// another identity; everything else works as without a vault.
func TestVault_Open(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead of modes")
	}
	for _, row := range []struct {
		what   string
		change func(dir string) error
		code   fault.Code // of Login, for a server with a login
	}{
		{"open to other users", func(dir string) error { return os.Chmod(dir, 0o755) }, fault.LoginVault},
		{"of another user", func(dir string) error { return os.Chown(dir, 12345, -1) }, fault.LoginVault},
		{"replaced by a file", func(dir string) error {
			return errors.Join(os.Rename(dir, dir+".moved"), os.WriteFile(dir, nil, 0o600))
		}, ""},
	} {
		t.Run(row.what, func(t *testing.T) {
			if row.what == "of another user" && os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			v := newVault(t, "os")
			v.Dir = filepath.Join(filepath.Dir(v.Dir), "[x]", "vault") // no pattern
			login := v.put(principal, "s")
			v.put(identity.Login{Server: "*.azurecr.io", Kind: identity.Anonymous}, "")
			v.expect("token 1", app, v.issue)
			if err := row.change(v.Dir); err != nil {
				t.Fatal(err)
			}
			s := v.session()
			if s.Err() == nil {
				t.Error("it is used")
			}
			if l, err := s.Login(principal.Server); l != nil || fault.CodeOf(err) != row.code {
				t.Errorf("Login: %v, %v; want the code %q", l, err, row.code)
			}
			if l, err := s.Login("ghcr.io"); l != nil || err != nil {
				t.Errorf("Login of a server without login: %v, %v", l, err)
			}
			if patterns, err := s.Patterns(); patterns != nil || fault.CodeOf(err) != row.code {
				t.Errorf("Patterns: %v, %v; want the code %q", patterns, err, row.code)
			}
			_, secretErr := s.Secret(t.Context(), login)
			_, putErr := s.PutLogin(t.Context(), principal, secret.New("new"))
			_, backendErr := s.WritableBackend(t.Context())
			writableErr := s.Writable(t.Context())
			if secretErr == nil || IsChanged(secretErr) || putErr == nil || backendErr == nil || writableErr == nil {
				t.Errorf("Secret: %v, PutLogin: %v, WritableBackend: %v, Writable: %v", secretErr, putErr, backendErr, writableErr)
			}
			if _, err := s.CachedToken(t.Context(), host(contoso), app); err != ErrNoToken {
				t.Errorf("CachedToken: %v", err)
			}
			v.expect("token 2", app, v.issue)
			// Listing and deleting need no trust.
			entries, err := s.Entries()
			if want := map[bool]int{true: 3}[s.Exists()]; err != nil || len(entries) != want {
				t.Errorf("Entries: %+v, %v", entries, err)
			}
			erased, err := s.Erase(t.Context(), contoso, is(contoso))
			if err != nil || len(erased) != max(0, len(entries)-1) {
				t.Errorf("Erase: %+v, %v", erased, err)
			}
			if l, err := s.Login(principal.Server); l != nil || err != nil {
				t.Errorf("Login after Erase: %v, %v", l, err)
			}
		})
	}
	t.Run("a keyspace that can't be listed", func(t *testing.T) {
		v := newVault(t, "os")
		v.put(principal, "s")
		space := filepath.Dir(v.files("os-*/*.login")[0])
		if err := errors.Join(os.Rename(space, space+".moved"), os.WriteFile(space, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		s := v.session()
		if _, err := s.Patterns(); !fault.Is(err, fault.LoginVault) {
			t.Errorf("Patterns: %v", err)
		}
		if _, err := s.Entries(); !fault.Is(err, fault.LoginVault) {
			t.Errorf("Entries: %v", err)
		}
	})
	t.Run("not there yet", func(t *testing.T) {
		v := newVault(t, "os")
		s := v.session()
		if backend, err := s.WritableBackend(t.Context()); backend != "os" || err != nil || s.Err() != nil || s.Exists() {
			t.Errorf("writable %q, %v; %v, exists %t", backend, err, s.Err(), s.Exists())
		}
		v.put(principal, "another process's")
		must(s.PutLogin(t.Context(), principal, secret.New("ours")))
		if got := textOf(s.Secret(t.Context(), *must(s.Login(contoso)))); got != "ours" {
			t.Error(got)
		}
	})
	t.Run("no directory", func(t *testing.T) {
		v := newVault(t, "os")
		v.Dir = ""
		s := v.session()
		if l, err := s.Login(contoso); l != nil || err != nil || s.Err() != nil {
			t.Errorf("Login: %v, %v, %v", l, err, s.Err())
		}
		v.expect("token 1", app, v.issue)
		if _, err := s.PutLogin(t.Context(), principal, secret.New("s")); err == nil {
			t.Error("PutLogin stored a login")
		}
	})
}
