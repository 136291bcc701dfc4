package vault

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

func TestSession_Peek_needs_no_key(t *testing.T) {
	v := newVault(t, "os")
	peek := func(id identity.Identity) (Entry, bool, *Failure) {
		t.Helper()
		before := v.keys.reads
		e, ok, failure := v.session().Peek(host(contoso), id)
		if v.keys.reads != before {
			t.Errorf("%d keyring reads", v.keys.reads-before)
		}
		return e, ok, failure
	}
	if _, ok, failure := peek(app); ok || failure != nil {
		t.Error("there is something in an empty vault")
	}
	v.expect("token 1", app, v.issue)
	e, ok, _ := peek(app)
	if !ok || e.Backend != "os" || !e.Available || !e.IsToken || !e.Life.IsFresh(v.Now()) || !e.Life.Value.IsZero() {
		t.Errorf("%+v", e)
	}
	if _, ok, _ := peek(appWith("another")); ok {
		t.Error("it returns one identity's token for another")
	}
	v.advance(4 * time.Hour)
	v.keys.backends = []string{"kernel"}
	if e, ok, _ = peek(app); !ok || e.Available || e.Life.IsValid(v.Now()) {
		t.Errorf("ended, and not available here: %+v", e)
	}
	v.keys.backends = []string{"os"}
	v.expect(errDown.Error(), app, down)
	for _, server := range []string{"", "fabrikam.azurecr.io"} { // ClearFailures deletes only those of its servers
		v.session().ClearFailures(is(server))
		if _, _, failure := peek(app); failure == nil || failure.Text != errDown.Error() {
			t.Errorf("the failure after ClearFailures of %q: %v", server, failure)
		}
	}
	v.session().ClearFailures(is(contoso))
	if _, _, failure := peek(app); failure != nil {
		t.Errorf("after ClearFailures: %v", failure)
	}
	v.keys.backends, v.keys.byName["kernel"] = []string{"kernel"}, nil
	v.expect("token 2", app, v.issue)
	if e, ok, _ = peek(app); !ok || e.Backend != "kernel" {
		t.Errorf("with a token in the kernel's keyspace: %+v", e)
	}
	v.keys.backends = []string{"os"}
	if e, ok, _ = peek(app); !ok || e.Backend != "os" {
		t.Errorf("the token that Token would try has ended, another one is not available: %+v", e)
	}
}

func TestSession_EraseAll(t *testing.T) {
	v := newVault(t, "os", "kernel")
	erase := func(wantEntries int, wantKeys ...string) error {
		t.Helper()
		erased, keys, err := v.session().EraseAll(t.Context())
		if len(erased) != wantEntries || !slices.Equal(keys, wantKeys) {
			t.Errorf("it deleted %+v, %q; want %d entries, %q; %v", erased, keys, wantEntries, wantKeys, err)
		}
		return err
	}
	if err := erase(0); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(v.Dir); err == nil {
		t.Error("it made the vault")
	}
	fill := func() {
		t.Helper()
		v.put(identity.Login{Server: "https://index.docker.io/v1/", Kind: identity.RegistryUser, User: "ada"}, "c4n4ry")
		v.get(app, v.issue)
	}
	fill()
	v.keys.backends = []string{"kernel"}
	fill()
	v.keys.backends = []string{"os", "kernel"}
	err, left := erase(4, "kernel", "os"), v.files("*-*")
	if err != nil || len(left) > 0 || v.keys.byName["os"] != nil || v.keys.byName["kernel"] != nil {
		t.Errorf("left: %q, %v", left, err)
	}

	fill()
	key := v.keys.byName["os"]
	delete(v.keys.byName, "os") // locked
	v.keys.byName["kernel"] = make([]byte, 32)
	for _, entries := range []int{2, 0} {
		err := erase(entries)
		if !fault.Is(err, fault.KeyStays) || !fault.Has(err, fault.KeyringLocked) ||
			!strings.Contains(err.Error(), "not the encryption key: the keyring is locked") {
			t.Errorf("locked: %v", err)
		}
	}
	v.keys.byName["os"] = key
	if err := erase(0, "os"); err != nil || v.keys.byName["os"] != nil || v.keys.byName["kernel"] == nil {
		t.Errorf("unlocked again: %v; the other key has sealed nothing here: %v", err, v.keys.byName)
	}

	fill()
	v.keys.byName["os"] = make([]byte, 32) // another vault's
	if err := erase(2); err != nil || v.keys.byName["os"] == nil {
		t.Errorf("another key: %v", err)
	}
}
