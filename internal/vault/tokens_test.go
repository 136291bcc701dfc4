package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const contoso = "contoso.azurecr.io"

// app is the identity that most tests get tokens for.
var app = identity.Identity{
	Kind: identity.ServicePrincipal, Tenant: "t", ClientID: "c", Audience: registry.Audience, Fingerprint: "f",
}

// appWith is app with another fingerprint, as of another secret.
func appWith(fingerprint string) identity.Identity {
	id := app
	id.Fingerprint = fingerprint
	return id
}

func TestSession_CachedToken_finds_only_the_same_identity(t *testing.T) {
	v := newVault(t, "os")
	v.expect("token 1", app, v.issue)
	s := v.session()
	for _, row := range []struct {
		other, host string
		change      func(*identity.Identity)
	}{
		{"host", "fabrikam.azurecr.io", func(*identity.Identity) {}},
		{"cloud", "contoso.azurecr.cn", func(*identity.Identity) {}},
		{"region", "contoso.westeurope.geo.azurecr.io", func(*identity.Identity) {}},
		{"kind", contoso, func(id *identity.Identity) { id.Kind = identity.AzureCLI }},
		{"tenant", contoso, func(id *identity.Identity) { id.Tenant = "t2" }},
		{"client", contoso, func(id *identity.Identity) { id.ClientID = "c2" }},
		{"user", contoso, func(id *identity.Identity) { id.User = "u" }},
		{"audience", contoso, func(id *identity.Identity) { id.Audience = "https://management.azure.com" }},
		{"fingerprint", contoso, func(id *identity.Identity) { id.Fingerprint = "f2" }},
		{"limit between tenant and client", contoso, func(id *identity.Identity) { id.Tenant, id.ClientID = "tc", "" }},
	} {
		id := app
		row.change(&id)
		if got, err := s.CachedToken(t.Context(), host(row.host), id); err != ErrNoToken {
			t.Errorf("another %s: %q, %v", row.other, got.Value.Reveal(), err)
		}
	}
	if got, err := s.CachedToken(t.Context(), host(contoso), app); err != nil || got.Value.Reveal() != "token 1" {
		t.Errorf("the same identity: %v", err)
	}
}

// TestSession_CachedToken_of_an_expired_assertion has a file with an assertion that claims to be the same but has expired:
// it may be made up.
func TestSession_CachedToken_of_an_expired_assertion(t *testing.T) {
	v := newVault(t, "os")
	pod := app
	pod.Kind, pod.Assertion = identity.WorkloadIdentity, identity.Assertion{Hash: "true", Expires: v.Now().Add(time.Hour)}
	v.expect("token 1", pod, v.issue)
	renewed, forged := pod, pod
	renewed.Assertion = identity.Assertion{Hash: "renewed", Expires: v.Now().Add(2 * time.Hour)}
	forged.Assertion = identity.Assertion{Hash: "forged", Expires: v.Now().Add(-time.Hour)}
	v.expect("token 1", renewed, down)
	v.expect("azure is down", forged, down)
	v.advance(90 * time.Minute)
	v.expect("token 1", pod, down) // it obtained the token
	v.expect("token 1", renewed, down)
	v.advance(time.Hour)
	v.expect("azure is down", renewed, down)
}

func TestSession_CachedToken_until_it_ends(t *testing.T) {
	v := newVault(t, "os")
	v.expect("token 1", app, v.issue)
	s := v.session()
	v.advance(3*time.Hour - time.Minute - time.Second)
	key := v.keys.byName["os"]
	for _, row := range []struct {
		what   string
		change func()
		want   fault.Code
	}{
		{"in its last usable second", func() {}, ""},
		{"locked", func() { delete(v.keys.byName, "os") }, fault.LoginKeyring},
		{"another key", func() { v.keys.byName["os"] = make([]byte, 32) }, fault.LoginKeyGone},
		{"no key", func() { v.keys.byName["os"] = nil }, fault.LoginKeyGone},
		{"damaged", func() {
			v.keys.byName["os"] = key
			path := v.files("os-*/*.token")[0]
			content := must(os.ReadFile(path))
			writeFile(t, path, content[:len(content)-1])
		}, fault.LoginDamaged},
	} {
		row.change()
		if _, err := v.session().CachedToken(t.Context(), host(contoso), app); fault.CodeOf(err) != row.want {
			t.Errorf("%s: %v, want %s", row.what, err, row.want)
		}
	}
	v.advance(time.Second)
	if _, err := s.CachedToken(t.Context(), host(contoso), app); err != ErrNoToken {
		t.Errorf("after its end: %v", err)
	}
}

// TestSession_Token_cached_costs_one_keyring_read also proves that it takes no lock: it would wait for it.
func TestSession_Token_cached_costs_one_keyring_read(t *testing.T) {
	v := newVault(t, "os")
	v.expect("token 1", app, v.issue)
	defer v.lock()()
	v.keys.reads = 0
	v.expect("token 1", app, v.issue)
	if v.keys.reads != 1 {
		t.Errorf("%d keyring reads", v.keys.reads)
	}
}

// TestSession_Token_fetches_once has sessions that need a token at the same time, with a deadline that is shorter than
// the time that a fetch may need. They begin without a vault and without a key.
func TestSession_Token_fetches_once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, "os")
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				s := v.Open()
				defer s.Close()
				got, err := s.Token(ctx, host(contoso), app, false, func(ctx context.Context) (secret.Token, error) {
					time.Sleep(4 * time.Second)
					return v.issue(ctx)
				})
				if text := textOf(got.Value, err); text != "token 1" {
					t.Error(text)
				}
			})
		}
		all.Wait()
	})
}

func TestSession_Token_waits_for_a_lock(t *testing.T) {
	wait := func(t *testing.T, v *fixture, fetch Fetch) (waited time.Duration) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if got, err := v.session().Token(ctx, host(contoso), app, false, fetch); textOf(got.Value, err) != "token 1" {
			t.Error(textOf(got.Value, err))
		}
		return time.Since(start)
	}
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, "os")
		defer v.lock()()
		if waited := wait(t, v, v.issue); waited != 45*time.Second {
			t.Errorf("it waited %v, want the minute less the time for a fetch", waited)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		v := newVault(t, "os")
		defer v.lock()()
		holder := v.session()
		go func() {
			time.Sleep(time.Second)
			if err := holder.PutToken(t.Context(), host(contoso), app, must(v.issue(t.Context())), ""); err != nil {
				t.Error(err)
			}
		}()
		if waited := wait(t, v, down); waited > 2*time.Second {
			t.Errorf("it waited %v, longer than the other session needed", waited)
		}
	})
}

func TestSession_Token_shares_a_failure(t *testing.T) {
	for _, row := range []struct {
		retryAfter, shared time.Duration
	}{
		{0, shareFailure},
		{time.Second, shareFailure},
		{time.Minute, time.Minute},
		{time.Hour, maxFailureSharing}, // a server must not lock us out forever
	} {
		v := newVault(t, "os")
		fetches := 0
		get := func() error {
			_, err := v.session().Token(t.Context(), host(contoso), app, false, func(context.Context) (secret.Token, error) {
				fetches++
				refusal := &fault.Error{Code: fault.RegistryThrottled, Reason: "refused", RetryAfter: row.retryAfter}
				return secret.Token{}, fmt.Errorf("signing in: %w", refusal)
			})
			return err
		}
		first := get()
		v.advance(row.shared - time.Second)
		second := get()
		if first == nil || second == nil || second.Error() != first.Error() || !fault.Is(second, fault.RegistryThrottled) {
			t.Errorf("wait %v: the failure %v was shared as %v", row.retryAfter, first, second)
		}
		if fetches != 1 {
			t.Errorf("wait %v: %d fetches within %v", row.retryAfter, fetches, row.shared)
		}
		v.expect("token 1", appWith("a new secret"), v.issue)
		v.advance(time.Second)
		if _ = get(); fetches != 2 {
			t.Errorf("wait %v: %d fetches after %v", row.retryAfter, fetches, row.shared)
		}
	}
}

func TestSession_Token_keeps_its_own_failure(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelLate()
	sealed := func(code fault.Code) error { return cannotOpenLogin(fault.New(code, "why")) }
	for _, row := range []struct {
		ctx context.Context
		err error
	}{
		{canceled, context.Canceled},
		{late, context.DeadlineExceeded},
		{t.Context(), sealed(fault.LoginKeyring)},
		{t.Context(), sealed(fault.LoginElsewhere)},
		{t.Context(), sealed(fault.LoginKeyGone)},
		{t.Context(), sealed(fault.LoginNewer)},
		{t.Context(), sealed(fault.LoginDamaged)},
		{t.Context(), sealed(fault.LoginVault)},
		{t.Context(), sealed(fault.LoginChanged)},
	} {
		v := newVault(t, "os")
		_, err := v.session().Token(row.ctx, host(contoso), app, false, func(context.Context) (secret.Token, error) {
			if row.ctx == late {
				<-late.Done()
			}
			return secret.Token{}, fmt.Errorf("signing in: %w", row.err)
		})
		if !errors.Is(err, row.err) {
			t.Fatal(err)
		}
		v.expect("token 1", app, v.issue)
	}
}

func TestSession_Token_returns_valid_token_when_renewal_fails(t *testing.T) {
	t.Run("from any keyspace", func(t *testing.T) {
		v := newVault(t, "os", "kernel")
		delete(v.keys.byName, "os") // locked
		v.expect("token 1", app, v.issue)
		v.keys.byName["os"] = nil // unlocked, without a key
		v.advance(2 * time.Hour)
		v.expect("token 1", app, down)
	})
	t.Run("but not one of a login that was replaced", func(t *testing.T) {
		v := newVault(t, "os")
		v.expect("token 1", app, v.issue)
		v.advance(2 * time.Hour)
		v.expect(errChanged.Error(), app, func(context.Context) (secret.Token, error) { return secret.Token{}, errChanged })
	})
	t.Run("and shares the failure no longer than the token is valid", func(t *testing.T) {
		v := newVault(t, "os")
		v.expect("token 1", app, v.issue)
		v.advance(3*time.Hour - time.Minute - 10*time.Second)
		v.expect("token 1", app, down)
		v.advance(9 * time.Second)
		v.expect("token 1", app, v.issue) // the failure is shared
		v.advance(2 * time.Second)
		v.expect("token 2", app, v.issue)
	})
}

func TestSession_Token_skips_locked_keyring(t *testing.T) {
	v := newVault(t, "os", "kernel")
	delete(v.keys.byName, "os")
	v.expect("token 1", app, v.issue)
	v.expect("token 1", app, v.issue)
	if found := v.files("kernel-*/*.token"); len(found) != 1 {
		t.Errorf("cached in %q", found)
	}
}

func TestSession_Token_of_two_keys(t *testing.T) {
	v := newVault(t, "os")
	elsewhere := v.with(newKeys("os"))
	for range 2 {
		v.expect("token 1", app, v.issue)
		elsewhere.expect("token 2", app, v.issue)
	}
	v.erase(contoso)
	for _, v := range []*fixture{v, elsewhere} {
		if _, err := v.session().CachedToken(t.Context(), host(contoso), app); err != ErrNoToken {
			t.Errorf("after Erase: %v", err)
		}
	}
}

func TestSession_Token_refresh(t *testing.T) {
	v := newVault(t, "os")
	s := v.session()
	for i, row := range []struct {
		refresh bool
		fetch   Fetch
		want    string
	}{
		{false, v.issue, "token 1"},
		{true, v.issue, "token 2"},
		{false, v.issue, "token 2"},
		{true, down, errDown.Error()},
		{false, v.issue, "token 2"},
		{true, v.issue, "token 3"},
		{false, down, "token 3"},
	} {
		token, err := s.Token(t.Context(), host(contoso), app, row.refresh, row.fetch)
		if got := textOf(token.Value, err); got != row.want {
			t.Errorf("%d: %s, want %s", i, got, row.want)
		}
	}
	if left := v.files("*/*" + failureSuffix); len(left) > 0 {
		t.Errorf("after a success there is still %q", left)
	}
}

func TestSession_sweep(t *testing.T) {
	v := newVault(t, "os")
	for job := range 5 {
		v.expect(fmt.Sprint("token ", job+1), appWith(fmt.Sprint("job ", job)), v.issue)
	}
	v.put(identity.Login{Server: "ghcr.io", Kind: identity.RegistryUser}, "x")
	space := filepath.Dir(v.files("os-*/*.login")[0])
	for name, content := range map[string]string{
		"a.failed": "{}", "tmp-a": "", "b.token": "damaged",
		"newer.token": "docker-credential-acr vault 2\n", "newer.kind": "docker-credential-acr vault 2\n",
	} {
		writeFile(t, filepath.Join(space, name), []byte(content))
	}
	for _, f := range v.files("os-*/*") {
		if err := os.Chtimes(f, v.Now(), v.Now()); err != nil {
			t.Fatal(err)
		}
	}
	v.advance(23 * time.Hour)
	before := len(v.files("os-*/*"))
	v.expect("token 6", app, v.issue)
	if left := v.files("os-*/*"); len(left) != before+1 {
		t.Errorf("before %v: %q", sweepAfter, left)
	}
	v.advance(5 * time.Hour)
	v.expect("token 7", app, v.issue)
	var kinds []string
	for _, f := range v.files("os-*/*") {
		kinds = append(kinds, strings.TrimPrefix(filepath.Ext(f), "."))
	}
	if got := strings.Join(kinds, " "); strings.Count(got, "token") != 2 || strings.Count(got, "login") != 1 ||
		strings.Count(got, "kind") != 1 || len(kinds) != 4 {
		t.Errorf("left: %s; want the new token, the login, and what a newer version wrote", got)
	}
}

// TestSession_Token_shares_a_failed_sign_in has eight registries of one identity, as a classic docker build has: they
// wait for a dead Entra once.
func TestSession_Token_shares_a_failed_sign_in(t *testing.T) {
	for _, row := range []struct {
		what       string
		isSignIn   bool
		all, other int // fetches of eight registries, and of another one
	}{{"signing in", true, 1, 0}, {"the exchange", false, 8, 1}} {
		for _, inMemory := range []bool{false, true} {
			v, failed := newVault(t, "os"), errDown
			if inMemory {
				v = newMemoryVault(t)
			}
			fetches := 0
			fetch := func(ctx context.Context) (secret.Token, error) {
				if fetches++; failed == nil {
					return v.issue(ctx)
				}
				return secret.Token{}, failed
			}
			get := func(name string, id identity.Identity) {
				s := v.session()
				token, err := s.Token(t.Context(), host(name), id, false, func(ctx context.Context) (secret.Token, error) {
					if row.isSignIn {
						return s.AccessToken(ctx, host(name), id, time.Time{}, fetch)
					}
					return fetch(ctx)
				})
				if got := textOf(token.Value, err); failed != nil && got != failed.Error() {
					t.Errorf("%s failed: %s", row.what, got)
				}
			}
			expect := func(want int, when string) {
				if fetches != want {
					t.Errorf("%s failed, in memory %t: %d fetches %s, want %d", row.what, inMemory, fetches, when, want)
				}
				fetches = 0
			}
			for i := range 8 {
				get(fmt.Sprintf("r%d.azurecr.io", i), app)
			}
			expect(row.all, "of eight registries")
			get("r1.azurecr.io", appWith("a new secret"))
			expect(1, "with a new secret")
			v.session().ClearFailures(is("r2.azurecr.io"))
			get("r2.azurecr.io", app)
			expect(1, "after a login")
			get("r8.azurecr.io", app)
			expect(row.other, "of another registry then")
			v.advance(shareFailure)
			failed = nil
			get("r3.azurecr.io", app)
			get("r4.azurecr.io", app)
			expect(map[bool]int{true: 1, false: 2}[row.isSignIn], "after a success")
		}
	}
}

// TestSession_Peek_last_failure proves that a failure is known until a success or for a day, though it is shared for
// seconds.
func TestSession_Peek_last_failure(t *testing.T) {
	v := newVault(t, "os")
	peek := func(name string) string {
		_, _, failure := v.session().Peek(host(name), app)
		if failure == nil {
			return ""
		}
		return failure.Text
	}
	expect := func(when, want, other string) {
		t.Helper()
		if got := peek(contoso); got != want {
			t.Errorf("%s: %q, want %q", when, got, want)
		}
		if got := peek("fabrikam.azurecr.io"); got != other {
			t.Errorf("%s, another registry: %q, want %q", when, got, other)
		}
	}
	signIn := func(ctx context.Context) (secret.Token, error) {
		return v.session().AccessToken(ctx, host(contoso), app, time.Time{}, down)
	}
	v.expect(errDown.Error(), app, signIn)
	v.advance(time.Hour)
	expect("an hour after a failed sign-in", errDown.Error(), errDown.Error())
	v.expect("token 2", app, func(ctx context.Context) (secret.Token, error) {
		if _, err := v.session().AccessToken(ctx, host(contoso), app, time.Time{}, v.issue); err != nil {
			return secret.Token{}, err
		}
		return v.issue(ctx)
	})
	expect("after a success", "", "")
	v.advance(2 * time.Hour)
	v.expect("token 2", app, down)
	v.advance(30 * time.Minute)
	expect("after a failed renewal", errDown.Error(), "")
	v.expect("token 3", app, v.issue)
	expect("after its success", "", "")
	v.advance(3 * time.Hour)
	v.expect(errDown.Error(), app, signIn)
	v.advance(sweepAfter - time.Second)
	expect("within a day", errDown.Error(), errDown.Error())
	v.advance(time.Second)
	expect("a day later", "", "")
}

// TestSession_sweep_keeps_the_last_token_of_a_server proves that a server stays known when its tokens have ended.
func TestSession_sweep_keeps_the_last_token_of_a_server(t *testing.T) {
	v := newVault(t, "os")
	for _, name := range []string{"a.azurecr.io", "b.azurecr.io"} {
		for job := range 3 {
			id := appWith(fmt.Sprint("job ", job))
			must(v.session().Token(t.Context(), host(name), id, false, v.issue))
			v.advance(time.Minute)
		}
	}
	for _, f := range v.files("os-*/*") {
		if err := os.Chtimes(f, v.Now(), v.Now()); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		v.advance(30 * 24 * time.Hour)
		v.expect("token "+fmt.Sprint(v.issued.Load()+1), app, v.issue)
	}
	servers := map[string]int{}
	for _, e := range must(v.session().Entries()) {
		servers[e.Server]++
	}
	if servers["a.azurecr.io"] != 1 || servers["b.azurecr.io"] != 1 || servers[contoso] != 1 {
		t.Errorf("tokens of each server: %v, want the last one", servers)
	}
}
