package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// newMemoryVault returns a vault with a memory; without backends nothing is on disk.
func newMemoryVault(t *testing.T, backends ...string) *fixture {
	f := newVault(t, backends...)
	f.Memory = &Memory{}
	return f
}

func (f *fixture) recall(ctx context.Context, id identity.Identity, refresh bool, fetch Fetch) string {
	s := f.Open()
	defer s.Close()
	got, err := s.TokenFromMemory(ctx, host(contoso), id, refresh, fetch)
	return textOf(got.Value, err)
}

func (f *fixture) expectRecall(want string, id identity.Identity, fetch Fetch) {
	f.t.Helper()
	if got := f.recall(f.t.Context(), id, false, fetch); got != want {
		f.t.Errorf("it returns %q, want %q", got, want)
	}
}

func TestSession_TokenFromMemory_without_keyring(t *testing.T) {
	v := newMemoryVault(t)
	for range 5 {
		v.expectRecall("token 1", app, v.issue)
	}
	v.expectRecall("token 2", appWith("another secret"), v.issue)
	v.advance(time.Hour) // longer than a token on disk is trusted
	v.expectRecall("token 1", app, v.issue)
	v.advance(30 * time.Minute) // half of its life
	v.expectRecall("token 3", app, v.issue)
	if files := v.files("*"); len(files) > 0 {
		t.Errorf("on disk: %q", files)
	}
}

func TestSession_TokenFromMemory_when_renewal_fails(t *testing.T) {
	v := newMemoryVault(t)
	v.expectRecall("token 1", app, v.issue)
	v.advance(2 * time.Hour)
	v.expectRecall("token 1", app, down)
	v.expectRecall("token 1", app, v.issue) // the failure is shared
	v.advance(shareWhileValid)
	v.expectRecall("token 2", app, v.issue)
	v.advance(3 * time.Hour)
	v.expectRecall(errDown.Error(), app, down)
	v.expectRecall(errDown.Error(), app, v.issue)
	v.advance(shareFailure)
	v.expectRecall("token 3", app, v.issue)
}

func TestSession_TokenFromMemory_returns_the_wait_that_is_left(t *testing.T) {
	for _, backends := range [][]string{nil, {"os"}} {
		v := newMemoryVault(t, backends...)
		throttled := func(context.Context) (secret.Token, error) {
			return secret.Token{}, &fault.Error{Code: fault.RegistryThrottled, Reason: "refused", RetryAfter: 40 * time.Second}
		}
		for _, want := range []time.Duration{40 * time.Second, 30 * time.Second, 20 * time.Second} {
			_, err := v.session().TokenFromMemory(t.Context(), host(contoso), app, false, throttled)
			if got := fault.RetryAfter(err); got != want || !fault.Is(err, fault.RegistryThrottled) {
				t.Errorf("with keyrings %q: %v, wait %v, want %v", backends, err, got, want)
			}
			throttled = v.issue
			v.advance(10 * time.Second)
		}
	}
}

func TestSession_TokenFromMemory_keeps_its_own_failure(t *testing.T) {
	v := newMemoryVault(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if got := v.recall(canceled, app, false, down); got != errDown.Error() {
		t.Error(got)
	}
	v.expectRecall("token 1", app, v.issue)
}

func TestSession_TokenFromMemory_before_the_disk(t *testing.T) {
	v := newMemoryVault(t, "os")
	v.expectRecall("token 1", app, v.issue)
	reads := v.keys.reads
	v.advance(trustMemory - time.Second)
	v.expectRecall("token 1", app, v.issue)
	v.advance(2 * time.Second)
	v.expectRecall("token 1", app, v.issue)
	if v.keys.reads != reads {
		t.Errorf("%d keyring reads", v.keys.reads-reads)
	}
	v.expect("token 1", app, v.issue) // another process

	other := v.with(v.keys)
	other.Memory = nil
	other.erase(contoso)
	v.advance(trustMemory - 2*time.Second)
	v.expectRecall("token 1", app, v.issue)
	v.advance(2 * time.Second)
	v.expectRecall("token 2", app, v.issue)

	v.advance(time.Second)
	if got := textOfToken(other.session().Token(t.Context(), host(contoso), app, true, v.issue)); got != "token 3" {
		t.Error(got)
	}
	v.advance(trustMemory)
	v.expectRecall("token 3", app, v.issue)
}

func TestSession_TokenFromMemory_when_the_keyring_locks(t *testing.T) {
	v := newMemoryVault(t, "os")
	v.expectRecall("token 1", app, v.issue)
	delete(v.keys.byName, "os")
	v.advance(trustMemory)
	v.expectRecall("token 1", app, v.issue)
}

func TestSession_TokenFromMemory_refresh(t *testing.T) {
	for _, backends := range [][]string{nil, {"os"}} {
		v := newMemoryVault(t, backends...)
		v.expectRecall("token 1", app, v.issue)
		if got := v.recall(t.Context(), app, true, down); got != errDown.Error() {
			t.Error(got)
		}
		v.expectRecall("token 1", app, v.issue)
		if got := v.recall(t.Context(), app, true, v.issue); got != "token 2" {
			t.Error(got)
		}
		v.expectRecall("token 2", app, v.issue)
	}
}

func TestSession_TokenFromMemory_after_Erase_and_a_login(t *testing.T) {
	v := newMemoryVault(t)
	v.expectRecall("token 1", app, v.issue)
	v.erase("fabrikam.azurecr.io")
	v.expectRecall("token 1", app, v.issue)
	v.erase(contoso)
	v.expectRecall("token 2", app, v.issue)
	v.session().ClearFailures(is(contoso))
	v.expectRecall("token 3", app, v.issue)
}

func TestSession_TokenFromMemory_of_identity_that_stays_there(t *testing.T) {
	v := newMemoryVault(t, "os")
	id := app
	id.InMemory = true
	for range 2 {
		v.expectRecall("token 1", id, v.issue)
	}
	v.expectRecall(errDown.Error(), identity.Identity{Kind: identity.TokenSource, InMemory: true}, down)
	if files := v.files("*"); len(files) > 0 {
		t.Errorf("on disk: %q", files)
	}
}

func TestSession_TokenFromMemory_without_end(t *testing.T) {
	v := newMemoryVault(t)
	endless := func(ctx context.Context) (secret.Token, error) {
		token, err := v.issue(ctx)
		token.Expires = time.Time{}
		return token, err
	}
	v.expectRecall("token 1", app, endless)
	v.expectRecall("token 2", app, endless)
}

func TestSession_TokenFromMemory_deletes_what_has_ended(t *testing.T) {
	v := newMemoryVault(t)
	for i := range 5 {
		v.expectRecall(fmt.Sprintf("token %d", i+1), appWith(fmt.Sprint(i)), v.issue)
	}
	v.expectRecall(errDown.Error(), appWith("x"), down)
	v.advance(4 * time.Hour)
	v.expectRecall("token 6", app, v.issue)
	if n := len(v.Memory.entries); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestSession_TokenFromMemory_fetches_once also proves that a goroutine that gives up takes no other with it.
func TestSession_TokenFromMemory_fetches_once(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newMemoryVault(t)
		slow := func(ctx context.Context) (secret.Token, error) {
			select {
			case <-time.After(time.Second):
				return v.issue(ctx)
			case <-ctx.Done():
				return secret.Token{}, ctx.Err()
			}
		}
		hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		first := make(chan string)
		go func() { first <- v.recall(hurried, app, false, slow) }()
		synctest.Wait()
		results := make(chan string)
		for range 50 {
			go func() { results <- v.recall(t.Context(), app, false, slow) }()
		}
		short, cancelShort := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancelShort()
		go func() { first <- v.recall(short, app, false, slow) }()
		for range 2 {
			if got := <-first; !strings.Contains(got, context.DeadlineExceeded.Error()) {
				t.Error(got)
			}
		}
		for range 50 {
			if got := <-results; got != "token 1" {
				t.Error(got)
			}
		}
	})
}

func TestSession_TokenFromMemory_when_fetch_panics(t *testing.T) {
	v := newMemoryVault(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		v.recall(t.Context(), app, false, func(context.Context) (secret.Token, error) { panic(errors.New("a bug")) })
	}()
	v.expectRecall("token 1", app, v.issue)
}

func textOfToken(token secret.Token, err error) string { return textOf(token.Value, err) }
