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

// recall is get with a context, or in order to refresh.
func (f *fixture) recall(ctx context.Context, id identity.Identity, refresh bool, fetch Fetch) string {
	s := f.Open()
	defer s.Close()
	got, err := s.Token(ctx, host(contoso), id, refresh, fetch)
	return textOf(got.Value, err)
}

func TestSession_Token_from_memory_without_keyring(t *testing.T) {
	v := newMemoryVault(t)
	for range 5 {
		v.expect("token 1", app, v.issue)
	}
	v.expect("token 2", appWith("another secret"), v.issue)
	v.advance(time.Hour) // longer than a token on disk is trusted
	v.expect("token 1", app, v.issue)
	v.advance(30 * time.Minute) // half of its life
	v.expect("token 3", app, v.issue)
	if files := v.files("*"); len(files) > 0 {
		t.Errorf("on disk: %q", files)
	}
}

func TestSession_Token_from_memory_when_renewal_fails(t *testing.T) {
	v := newMemoryVault(t)
	v.expect("token 1", app, v.issue)
	v.advance(2 * time.Hour)
	v.expect("token 1", app, down)
	v.expect("token 1", app, v.issue) // the failure is shared
	v.advance(shareWhileValid)
	v.expect("token 2", app, v.issue)
	v.advance(3 * time.Hour)
	v.expect(errDown.Error(), app, down)
	v.expect(errDown.Error(), app, v.issue)
	v.advance(shareFailure)
	v.expect("token 3", app, v.issue)
}

func TestSession_Token_from_memory_returns_the_wait_that_is_left(t *testing.T) {
	for _, backends := range [][]string{nil, {"os"}} {
		v := newMemoryVault(t, backends...)
		throttled := func(context.Context) (secret.Token, error) {
			return secret.Token{}, &fault.Error{Code: fault.RegistryThrottled, Reason: "refused", RetryAfter: 40 * time.Second}
		}
		for _, want := range []time.Duration{40 * time.Second, 30 * time.Second, 20 * time.Second} {
			_, err := v.session().Token(t.Context(), host(contoso), app, false, throttled)
			if got := fault.RetryAfter(err); got != want || !fault.Is(err, fault.RegistryThrottled) {
				t.Errorf("with keyrings %q: %v, wait %v, want %v", backends, err, got, want)
			}
			throttled = v.issue
			v.advance(10 * time.Second)
		}
	}
}

func TestSession_Token_from_memory_keeps_its_own_failure(t *testing.T) {
	v := newMemoryVault(t)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if got := v.recall(canceled, app, false, down); got != errDown.Error() {
		t.Error(got)
	}
	v.expect("token 1", app, v.issue)
}

func TestSession_Token_from_memory_before_the_disk(t *testing.T) {
	v := newMemoryVault(t, "os")
	v.expect("token 1", app, v.issue)
	reads := v.keys.reads
	v.advance(trustMemory - time.Second)
	v.expect("token 1", app, v.issue)
	v.advance(2 * time.Second)
	v.expect("token 1", app, v.issue)
	if v.keys.reads != reads {
		t.Errorf("%d keyring reads", v.keys.reads-reads)
	}

	other := v.with(v.keys) // another process
	other.Memory = nil
	other.expect("token 1", app, v.issue)
	other.erase(contoso)
	v.advance(trustMemory - 2*time.Second)
	v.expect("token 1", app, v.issue)
	v.advance(2 * time.Second)
	v.expect("token 2", app, v.issue)

	v.advance(time.Second)
	if got := textOfToken(other.session().Token(t.Context(), host(contoso), app, true, v.issue)); got != "token 3" {
		t.Error(got)
	}
	v.advance(trustMemory)
	v.expect("token 3", app, v.issue)
}

func TestSession_Token_from_memory_when_the_keyring_locks(t *testing.T) {
	v := newMemoryVault(t, "os")
	v.expect("token 1", app, v.issue)
	delete(v.keys.byName, "os")
	v.advance(trustMemory)
	v.expect("token 1", app, v.issue)
}

func TestSession_Token_from_memory_refresh(t *testing.T) {
	for _, backends := range [][]string{nil, {"os"}} {
		v := newMemoryVault(t, backends...)
		v.expect("token 1", app, v.issue)
		if got := v.recall(t.Context(), app, true, down); got != errDown.Error() {
			t.Error(got)
		}
		v.expect("token 1", app, v.issue)
		if got := v.recall(t.Context(), app, true, v.issue); got != "token 2" {
			t.Error(got)
		}
		v.expect("token 2", app, v.issue)
	}
}

func TestSession_Token_from_memory_after_Erase_and_a_login(t *testing.T) {
	v := newMemoryVault(t)
	v.expect("token 1", app, v.issue)
	v.erase("fabrikam.azurecr.io")
	v.expect("token 1", app, v.issue)
	v.erase(contoso)
	v.expect("token 2", app, v.issue)
	v.session().ClearFailures(is(contoso))
	v.expect("token 3", app, v.issue)
}

func TestSession_Token_from_memory_of_identity_that_stays_there(t *testing.T) {
	v := newMemoryVault(t, "os")
	id := app
	id.InMemory = true
	for range 2 {
		v.expect("token 1", id, v.issue)
	}
	v.expect(errDown.Error(), identity.Identity{Kind: identity.TokenSource, InMemory: true}, down)
	if files := v.files("*"); len(files) > 0 {
		t.Errorf("on disk: %q", files)
	}
}

func TestSession_Token_from_memory_without_end(t *testing.T) {
	v := newMemoryVault(t)
	endless := func(ctx context.Context) (secret.Token, error) {
		token, err := v.issue(ctx)
		token.Expires = time.Time{}
		return token, err
	}
	v.expect("token 1", app, endless)
	v.expect("token 2", app, endless)
}

func TestSession_Token_from_memory_deletes_what_has_ended(t *testing.T) {
	v := newMemoryVault(t)
	for i := range 5 {
		v.expect(fmt.Sprintf("token %d", i+1), appWith(fmt.Sprint(i)), v.issue)
	}
	v.expect(errDown.Error(), appWith("x"), down)
	v.advance(4 * time.Hour)
	v.expect("token 6", app, v.issue)
	if n := len(v.Memory.entries); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestSession_Token_from_memory_fetches_once also proves that a goroutine that gives up takes no other with it.
func TestSession_Token_from_memory_fetches_once(t *testing.T) {
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

func TestSession_Token_from_memory_when_fetch_panics(t *testing.T) {
	v := newMemoryVault(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		v.recall(t.Context(), app, false, func(context.Context) (secret.Token, error) { panic(errors.New("a bug")) })
	}()
	v.expect("token 1", app, v.issue)
}

func textOfToken(token secret.Token, err error) string { return textOf(token.Value, err) }
