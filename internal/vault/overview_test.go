package vault

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

func TestPeekNeedsNoKey(t *testing.T) {
	k := newKeys("os")
	v, c := newVault(t, k)
	contoso := host(t, "contoso.azurecr.io")
	if _, ok, failed := v.Peek(contoso, ada); ok || failed != nil {
		t.Error("there is something in an empty vault")
	}
	var fetched atomic.Int32
	if _, err := v.Get(t.Context(), contoso, ada, mint(v, &fetched)); err != nil {
		t.Fatal(err)
	}
	before := k.reads
	kept, ok, _ := v.Peek(contoso, ada)
	if !ok || kept.Home != "os" || !kept.Reachable || !kept.Token || !kept.Life.Fresh(v.Now()) || !kept.Life.Value.IsZero() {
		t.Errorf("%+v", kept)
	}
	other := ada
	other.Fingerprint = "another"
	if _, ok, _ := v.Peek(contoso, other); ok {
		t.Error("one identity's token is shown as another's")
	}
	c.advance(4 * time.Hour)
	k.order = []string{"kernel"}
	if kept, ok, _ = v.Peek(contoso, ada); !ok || kept.Reachable || kept.Life.Alive(v.Now()) {
		t.Errorf("ended, and elsewhere: %+v", kept)
	}
	k.order = []string{"os"}
	broken := errors.New("no")
	if _, err := v.Get(t.Context(), contoso, ada, func(context.Context) (secret.Token, error) { return secret.Token{}, broken }); err == nil {
		t.Fatal("the fetch succeeded")
	}
	reads := k.reads
	if _, _, failed := v.Peek(contoso, ada); failed == nil || failed.Text != "no" {
		t.Errorf("the failure: %v", failed)
	}
	if before == 0 || k.reads != reads {
		t.Errorf("the keyring was read %d times", k.reads-reads)
	}
}

func TestOverviewTellsWhatCannotBeRead(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	for _, server := range []string{"contoso.azurecr.io", "ghcr.io"} {
		if _, err := v.PutLogin(t.Context(), identity.Login{Server: server, Kind: identity.RegistryUser, User: "ada"}, secret.New("c4n4ry")); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(v.Dir, "*", loginName("ghcr.io")))
	if err := os.WriteFile(files[0], []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := v.Overview()
	if err != nil || len(found) != 2 {
		t.Fatalf("%v, %v", found, err)
	}
	for _, e := range found {
		if (e.Unreadable == nil) != (e.Server == "contoso.azurecr.io") || e.Home != "os" || !e.Reachable {
			t.Errorf("%+v", e)
		}
	}
}

func TestAnewPassesOverWhatIsKept(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	contoso := host(t, "contoso.azurecr.io")
	var fetched atomic.Int32
	get := func(ctx context.Context, fetch Fetch) string {
		token, err := v.Get(ctx, contoso, ada, fetch)
		if err != nil {
			return err.Error()
		}
		return token.Value.Reveal()
	}
	fails := func(context.Context) (secret.Token, error) { return secret.Token{}, errors.New("no") }
	fresh := Anew(t.Context())
	for i, got := range []string{
		get(t.Context(), mint(v, &fetched)), get(fresh, mint(v, &fetched)), get(t.Context(), mint(v, &fetched)),
		get(fresh, fails), get(t.Context(), mint(v, &fetched)), get(fresh, mint(v, &fetched)), get(t.Context(), fails),
	} {
		want := []string{"token 1", "token 2", "token 2", "no", "token 2", "token 3", "token 3"}[i]
		if got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
}

func TestEraseAll(t *testing.T) {
	k := newKeys("os", "kernel")
	v, _ := newVault(t, k)
	if done, err := v.EraseAll(t.Context()); err != nil || len(done.Erased)+len(done.Keys) > 0 {
		t.Errorf("an empty vault: %+v, %v", done, err)
	}
	if _, err := os.Stat(v.Dir); err == nil {
		t.Error("the vault was made")
	}
	fill := func() {
		t.Helper()
		login := identity.Login{Server: "https://index.docker.io/v1/", Kind: identity.RegistryUser, User: "ada"}
		if _, err := v.PutLogin(t.Context(), login, secret.New("c4n4ry")); err != nil {
			t.Fatal(err)
		}
		var fetched atomic.Int32
		if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, mint(v, &fetched)); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	k.order = []string{"kernel"}
	fill()
	k.order = []string{"os", "kernel"}
	done, err := v.EraseAll(t.Context())
	if err != nil || len(done.Erased) != 4 || !slices.Equal(done.Keys, []string{"kernel", "os"}) || k.byID["os"] != nil || k.byID["kernel"] != nil {
		t.Errorf("%+v, %v", done, err)
	}
	if left, _ := filepath.Glob(filepath.Join(v.Dir, "*-*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}

	fill()
	key := k.byID["os"]
	delete(k.byID, "os") // locked
	k.byID["kernel"] = make([]byte, 32)
	for range 2 {
		done, err = v.EraseAll(t.Context())
		if err == nil || !strings.Contains(err.Error(), "the key stays: the keyring is locked") || len(done.Keys) > 0 {
			t.Errorf("locked: %+v, %v", done, err)
		}
	}
	k.byID["os"] = key
	if done, err = v.EraseAll(t.Context()); err != nil || !slices.Equal(done.Keys, []string{"os"}) || k.byID["os"] != nil {
		t.Errorf("unlocked again: %+v, %v", done, err)
	}
	if k.byID["kernel"] == nil {
		t.Error("a key that has sealed nothing here is destroyed")
	}

	fill()
	k.byID["os"] = make([]byte, 32) // made anew, by another vault
	if done, err = v.EraseAll(t.Context()); err != nil || len(done.Keys) > 0 || k.byID["os"] == nil {
		t.Errorf("another key: %+v, %v", done, err)
	}
}
