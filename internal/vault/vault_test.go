package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// keys is a keyring in memory. A home that is missing from the map can't be
// used; one with a nil key is willing and empty.
type keys struct {
	mu    sync.Mutex
	order []string
	byID  map[string][]byte
	reads int
}

func newKeys(homes ...string) *keys {
	k := &keys{order: homes, byID: map[string][]byte{}}
	for _, home := range homes {
		k.byID[home] = nil
	}
	return k
}

func (k *keys) Homes() []string { return k.order }

func (k *keys) Key(_ context.Context, home string) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reads++
	switch key, ok := k.byID[home]; {
	case !ok:
		return nil, errors.New("the keyring is locked")
	case key == nil:
		return nil, fs.ErrNotExist
	default:
		return key, nil
	}
}

func (k *keys) Make(ctx context.Context, home string, lock func(context.Context) (func(), error)) ([]byte, error) {
	unlock, err := lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.byID[home] == nil {
		k.byID[home] = make([]byte, 32)
		_, _ = rand.Read(k.byID[home])
	}
	return k.byID[home], nil
}

func (k *keys) Delete(ctx context.Context, home string, lock func(context.Context) (func(), error)) error {
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := k.Key(ctx, home); err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID[home] = nil
	return nil
}

// A clock that tests move.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_800_000_000+c.seconds.Load(), 0) }
func (c *clock) advance(d time.Duration) { c.seconds.Add(int64(d / time.Second)) }

func newVault(t *testing.T, k Keys) (*Vault, *clock) {
	t.Helper()
	c := &clock{}
	return &Vault{Dir: filepath.Join(t.TempDir(), "vault"), Keys: k, Now: c.now, Log: slog.New(slog.DiscardHandler)}, c
}

func host(t *testing.T, name string) registry.Host {
	t.Helper()
	h, err := registry.ParseHost(name)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

var ada = identity.Identity{
	Kind: identity.ServicePrincipal, Tenant: "t", ClientID: "c", Audience: registry.Audience, Fingerprint: "f",
}

// mint returns a fetch that counts and answers with tokens of three hours.
func mint(v *Vault, count *atomic.Int32) Fetch {
	return func(context.Context) (secret.Token, error) {
		value := fmt.Sprintf("token %d", count.Add(1))
		return secret.Token{Value: secret.New(value), Issued: v.Now(), Expires: v.Now().Add(3 * time.Hour)}, nil
	}
}

func TestEveryPartOfATokensNameCounts(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	var fetched atomic.Int32
	contoso := host(t, "contoso.azurecr.io")
	if _, err := v.Get(t.Context(), contoso, ada, mint(v, &fetched)); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		part   string
		host   string
		change func(*identity.Identity)
	}{
		{"host", "fabrikam.azurecr.io", func(*identity.Identity) {}},
		{"cloud", "contoso.azurecr.cn", func(*identity.Identity) {}},
		{"region", "contoso.westeurope.geo.azurecr.io", func(*identity.Identity) {}},
		{"kind", "contoso.azurecr.io", func(id *identity.Identity) { id.Kind = identity.AzureCLI }},
		{"tenant", "contoso.azurecr.io", func(id *identity.Identity) { id.Tenant = "t2" }},
		{"client", "contoso.azurecr.io", func(id *identity.Identity) { id.ClientID = "c2" }},
		{"user", "contoso.azurecr.io", func(id *identity.Identity) { id.User = "u" }},
		{"audience", "contoso.azurecr.io", func(id *identity.Identity) { id.Audience = "https://management.azure.com" }},
		{"fingerprint", "contoso.azurecr.io", func(id *identity.Identity) { id.Fingerprint = "f2" }},
		{"parts that run into each other", "contoso.azurecr.io", func(id *identity.Identity) { id.Tenant, id.ClientID = "tc", "" }},
	} {
		id := ada
		row.change(&id)
		if token, err := v.Get(t.Context(), host(t, row.host), id, nil); err == nil {
			t.Errorf("another %s was answered with %s", row.part, token.Value.Reveal())
		}
	}
	if token, err := v.Get(t.Context(), contoso, ada, nil); err != nil || token.Value.Reveal() != "token 1" {
		t.Errorf("the identity itself: %v", err)
	}
}

func TestACachedGetReadsTheKeyringOnceAndTakesNoLock(t *testing.T) {
	k := newKeys("os")
	v, _ := newVault(t, k)
	var fetched atomic.Int32
	contoso := host(t, "contoso.azurecr.io")
	if _, err := v.Get(t.Context(), contoso, ada, mint(v, &fetched)); err != nil {
		t.Fatal(err)
	}
	// With every lock held by somebody else, a get that took one would wait.
	name := tokenName(contoso, ada)
	unlock, err := v.lock(t.Context(), lockName(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	k.reads = 0
	if _, err := v.Get(t.Context(), contoso, ada, mint(v, &fetched)); err != nil || fetched.Load() != 1 {
		t.Errorf("%d fetches, %v", fetched.Load(), err)
	}
	if k.reads != 1 {
		t.Errorf("the keyring was read %d times", k.reads)
	}
}

func TestACrowdFetchesOnce(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	var fetched atomic.Int32
	slow := func(ctx context.Context) (secret.Token, error) {
		time.Sleep(50 * time.Millisecond)
		return mint(v, &fetched)(ctx)
	}
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			token, err := v.Get(context.Background(), host(t, "contoso.azurecr.io"), ada, slow)
			if err != nil || token.Value.Reveal() != "token 1" {
				t.Errorf("%q, %v", token.Value.Reveal(), err)
			}
		})
	}
	all.Wait()
	if fetched.Load() != 1 {
		t.Errorf("%d fetches", fetched.Load())
	}
}

// refusal is an error as the protocols make them.
type refusal struct{ wait time.Duration }

func (refusal) Error() string               { return "refused" }
func (refusal) Code() string                { return "acr-429" }
func (r refusal) RetryAfter() time.Duration { return r.wait }

// TestACrowdFetchesOnceEvenInAHurry has callers whose deadline is shorter than
// what a fetch may need.
func TestACrowdFetchesOnceEvenInAHurry(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	var fetched atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err := v.Get(ctx, host(t, "contoso.azurecr.io"), ada, func(ctx context.Context) (secret.Token, error) {
				time.Sleep(50 * time.Millisecond)
				return mint(v, &fetched)(ctx)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if fetched.Load() != 1 {
		t.Errorf("%d fetches", fetched.Load())
	}
}

func TestAFailureIsShared(t *testing.T) {
	for _, row := range []struct {
		wait, shared time.Duration
	}{
		{0, shareFailure},
		{time.Second, shareFailure},
		{time.Minute, time.Minute},
		{time.Hour, maxRetryAfter}, // a server must not lock us out for ever
	} {
		v, c := newVault(t, newKeys("os"))
		var fetched atomic.Int32
		fail := func(context.Context) (secret.Token, error) {
			fetched.Add(1)
			return secret.Token{}, fmt.Errorf("signing in: %w", refusal{row.wait})
		}
		get := func() error {
			_, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, fail)
			return err
		}
		first := get()
		c.advance(row.shared - time.Second)
		second := get()
		if first == nil || second == nil || second.Error() != first.Error() || failure.Code(second) != "acr-429" {
			t.Errorf("wait %v: the failure %v was shared as %v", row.wait, first, second)
		}
		if fetched.Load() != 1 {
			t.Errorf("wait %v: %d fetches within %v", row.wait, fetched.Load(), row.shared)
		}
		other := ada
		other.Fingerprint = "a new secret"
		if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), other, mint(v, new(atomic.Int32))); err != nil {
			t.Errorf("wait %v: a changed secret shares the failure: %v", row.wait, err)
		}
		c.advance(time.Second)
		if _ = get(); fetched.Load() != 2 {
			t.Errorf("wait %v: %d fetches after %v", row.wait, fetched.Load(), row.shared)
		}
	}
}

func TestWhoeverGivesUpLeavesNoFailureToOthers(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancelLate()
	for _, row := range []struct {
		what string
		ctx  context.Context
		err  error
	}{
		{"a caller that gave up", canceled, context.Canceled},
		{"a deadline of the caller's own", late, context.DeadlineExceeded},
		{"a keyring that is locked here", t.Context(), &LoginError{Server: "contoso.azurecr.io", Why: errors.New("locked")}},
	} {
		v, _ := newVault(t, newKeys("os"))
		_, err := v.Get(row.ctx, host(t, "contoso.azurecr.io"), ada, func(context.Context) (secret.Token, error) {
			if row.err == context.DeadlineExceeded {
				<-late.Done()
			}
			return secret.Token{}, row.err
		})
		if err == nil {
			t.Fatal("no error")
		}
		if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, mint(v, new(atomic.Int32))); err != nil {
			t.Errorf("%s: the next one gets %v", row.what, err)
		}
	}
}

var errDown = errors.New("azure is down")

func down(context.Context) (secret.Token, error) { return secret.Token{}, errDown }

func TestALivingTokenWillDoWhereverItLies(t *testing.T) {
	k := newKeys("os", "kernel")
	delete(k.byID, "os") // locked
	v, c := newVault(t, k)
	contoso := host(t, "contoso.azurecr.io")
	if _, err := v.Get(t.Context(), contoso, ada, mint(v, new(atomic.Int32))); err != nil {
		t.Fatal(err)
	}
	k.byID["os"] = nil // unlocked, and empty
	c.advance(2 * time.Hour)
	if token, err := v.Get(t.Context(), contoso, ada, down); err != nil || token.Value.Reveal() != "token 1" {
		t.Errorf("%q, %v", token.Value.Reveal(), err)
	}
}

func TestARestEndsWithTheTokenThatAllowsIt(t *testing.T) {
	v, c := newVault(t, newKeys("os"))
	contoso := host(t, "contoso.azurecr.io")
	var fetched atomic.Int32
	get := func(fetch Fetch) error {
		_, err := v.Get(t.Context(), contoso, ada, fetch)
		return err
	}
	if err := get(mint(v, &fetched)); err != nil {
		t.Fatal(err)
	}
	c.advance(3*time.Hour - 10*time.Second)
	if err := get(down); err != nil {
		t.Errorf("with ten seconds left: %v", err)
	}
	c.advance(11 * time.Second)
	if err := get(mint(v, &fetched)); err != nil {
		t.Errorf("after the token's end, with Azure back: %v", err)
	}
}

func TestALockThatIsHeldTooLongIsGoneWithout(t *testing.T) {
	v, _ := newVault(t, newKeys("os"))
	contoso := host(t, "contoso.azurecr.io")
	unlock, err := v.lock(t.Context(), lockName(tokenName(contoso, ada)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := v.Get(ctx, contoso, ada, mint(v, new(atomic.Int32))); err != nil {
		t.Error(err)
	}
}

func TestALockedHomeIsPassedOver(t *testing.T) {
	k := newKeys("os", "kernel")
	delete(k.byID, "os")
	v, _ := newVault(t, k)
	var fetched atomic.Int32
	for range 2 {
		if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, mint(v, &fetched)); err != nil {
			t.Fatal(err)
		}
	}
	if fetched.Load() != 1 {
		t.Errorf("%d fetches", fetched.Load())
	}
	if found, _ := filepath.Glob(filepath.Join(v.Dir, "kernel-*", "*.token")); len(found) != 1 {
		t.Errorf("kept in %q", found)
	}
}

func TestCompartmentsOfDifferentKeysLeaveEachOtherAlone(t *testing.T) {
	here, there := newKeys("os"), newKeys("os")
	v, _ := newVault(t, here)
	elsewhere := *v
	elsewhere.Keys = there
	contoso := host(t, "contoso.azurecr.io")
	var fetched atomic.Int32
	for range 2 {
		for _, session := range []*Vault{v, &elsewhere} {
			if _, err := session.Get(t.Context(), contoso, ada, mint(v, &fetched)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if fetched.Load() != 2 {
		t.Errorf("%d fetches by two sessions with a key each", fetched.Load())
	}
	if _, err := v.Erase(t.Context(), contoso.String(), is(contoso.String())); err != nil {
		t.Fatal(err)
	}
	for _, session := range []*Vault{v, &elsewhere} {
		if _, err := session.Get(t.Context(), contoso, ada, nil); err == nil {
			t.Error("erase left a token")
		}
	}
}

func TestNothingIsKeptWithoutHomes(t *testing.T) {
	v, _ := newVault(t, newKeys())
	var fetched atomic.Int32
	for range 2 {
		if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, mint(v, &fetched)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(v.Dir); !errors.Is(err, fs.ErrNotExist) || fetched.Load() != 2 {
		t.Errorf("%d fetches, %v", fetched.Load(), err)
	}
	if _, err := v.PutLogin(t.Context(), identity.Login{Server: "x"}, secret.New("y")); !errors.Is(err, ErrNoHome) {
		t.Errorf("PutLogin: %v", err)
	}
}

func TestWhatEndedLongAgoIsSweptAway(t *testing.T) {
	v, c := newVault(t, newKeys("os"))
	contoso := host(t, "contoso.azurecr.io")
	var fetched atomic.Int32
	for job := range 5 {
		id := ada
		id.Fingerprint = fmt.Sprint("job ", job)
		if _, err := v.Get(t.Context(), contoso, id, mint(v, &fetched)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := v.PutLogin(t.Context(), identity.Login{Server: "ghcr.io", Kind: identity.RegistryUser}, secret.New("x")); err != nil {
		t.Fatal(err)
	}
	old := time.Unix(1_800_000_000, 0)
	files, _ := filepath.Glob(filepath.Join(v.Dir, "os-*", "*"))
	for _, f := range files {
		if err := os.Chtimes(f, old, old); err != nil {
			t.Fatal(err)
		}
	}
	c.advance(28 * time.Hour)
	if _, err := v.Get(t.Context(), contoso, ada, mint(v, &fetched)); err != nil {
		t.Fatal(err)
	}
	files, _ = filepath.Glob(filepath.Join(v.Dir, "os-*", "*"))
	if len(files) != 2 { // the new token, and the login, which no sweep touches
		t.Errorf("left: %q", files)
	}
}

func TestFilesAreForTheirUserOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead of modes")
	}
	v, _ := newVault(t, newKeys("os"))
	if _, err := v.Get(t.Context(), host(t, "contoso.azurecr.io"), ada, mint(v, new(atomic.Int32))); err != nil {
		t.Fatal(err)
	}
	err := filepath.Walk(v.Dir, func(path string, info fs.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		content, _ := os.ReadFile(path)
		if strings.Contains(string(content), "token 1") {
			t.Errorf("%s holds the token unsealed", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// is covers one server.
func is(server string) func(string) bool { return func(s string) bool { return s == server } }
