package vault

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// expectAccess wants an identity's access token, asked for by a registry, or an error.
func (f *fixture) expectAccess(want, registry string, id identity.Identity, signIn Fetch) {
	f.t.Helper()
	s := f.Open()
	defer s.Close()
	got, err := s.AccessToken(f.t.Context(), host(registry), id, time.Time{}, signIn)
	if text := textOf(got.Value, err); text != want {
		f.t.Errorf("it returns %q, want %q", text, want)
	}
}

func TestSession_AccessToken_is_shared_by_registries(t *testing.T) {
	for _, v := range []*fixture{newVault(t, "os"), newMemoryVault(t), newMemoryVault(t, "os")} {
		v.expectAccess("token 1", contoso, app, v.issue)
		v.expectAccess("token 1", "fabrikam.azurecr.io", app, down)
		v.expectAccess("token 2", contoso, appWith("another secret"), v.issue)
		v.expectAccess("token 3", "contoso.azurecr.cn", app, v.issue) // another authority
		other := app
		other.Audience = "https://management.azure.com"
		v.expectAccess("token 4", contoso, other, v.issue)
		v.expectAccess("token 1", contoso, app, down)
		if entries := must(v.session().Entries()); len(entries) > 0 {
			t.Errorf("listed as tokens of registries: %+v", entries)
		}
	}
}

func TestSession_AccessToken_ends(t *testing.T) {
	for _, row := range []struct{ life, used time.Duration }{
		{3 * time.Hour, time.Hour - accessMargin},
		{time.Hour, time.Hour - accessMargin},
		{10 * time.Minute, 5 * time.Minute},
		{accessMargin, 0},
		{time.Minute, 0},
	} {
		for _, v := range []*fixture{newVault(t, "os"), newMemoryVault(t)} {
			short := func(ctx context.Context) (secret.Token, error) {
				token, err := v.issue(ctx)
				token.Expires = token.Issued.Add(row.life)
				return token, err
			}
			v.expectAccess("token 1", contoso, app, short)
			used := time.Duration(0)
			for ; used < 2*time.Hour; used += 10 * time.Second {
				if got, _ := v.session().AccessToken(t.Context(), host(contoso), app, time.Time{}, down); got.Value.IsZero() {
					break
				}
				v.advance(10 * time.Second)
			}
			// What has less than a minute left, or a twentieth of its life, counts as ended.
			if used > row.used || used < row.used-secret.Margin(row.used)-10*time.Second {
				t.Errorf("a token of %v was used for %v, want %v", row.life, used, row.used)
			}
		}
	}
}

// TestSession_AccessToken_signs_in_once has registries whose tokens are needed at the same time. Each session holds
// the lock of its own token.
func TestSession_AccessToken_signs_in_once(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			v := newVault(t, "os")
			signIns := 0
			var all sync.WaitGroup
			for i := range 20 {
				all.Go(func() {
					s, registry := v.Open(), host(fmt.Sprintf("r%d.azurecr.io", i))
					defer s.Close()
					got, err := s.Token(t.Context(), registry, app, false, func(ctx context.Context) (secret.Token, error) {
						return s.AccessToken(ctx, registry, app, time.Time{}, func(ctx context.Context) (secret.Token, error) {
							signIns++
							time.Sleep(4 * time.Second)
							if fails {
								return down(ctx)
							}
							return v.issue(ctx)
						})
					})
					if text := textOf(got.Value, err); text != map[bool]string{false: "token 1", true: errDown.Error()}[fails] {
						t.Error(text)
					}
				})
			}
			all.Wait()
			if signIns != 1 {
				t.Errorf("failing %t: %d sign-ins", fails, signIns)
			}
		})
	}
}

// TestSession_AccessToken_since has registries that refuse the cached token: one new sign-in is for all of them.
func TestSession_AccessToken_since(t *testing.T) {
	for _, v := range []*fixture{newVault(t, "os"), newMemoryVault(t), newMemoryVault(t, "os")} {
		v.expectAccess("token 1", contoso, app, v.issue)
		v.advance(time.Minute)
		refused := v.Now()
		v.advance(time.Second)
		for _, name := range []string{contoso, "fabrikam.azurecr.io"} {
			got, err := v.session().AccessToken(t.Context(), host(name), app, refused, v.issue)
			if text := textOf(got.Value, err); text != "token 2" {
				t.Errorf("%s: %q", name, text)
			}
		}
		v.expectAccess("token 2", contoso, app, down)
		v.advance(time.Hour)
		v.expectAccess(errDown.Error(), contoso, app, down)
		v.advance(time.Second)
		if got, err := v.session().AccessToken(t.Context(), host(contoso), app, v.Now(), v.issue); err != nil {
			t.Errorf("after a failure: %q, %v", got.Value.Reveal(), err)
		}
	}
}

// TestSession_AccessToken_deleted has a login's access tokens deleted along with it, and no others.
func TestSession_AccessToken_deleted(t *testing.T) {
	v := newVault(t, "os")
	login := v.put(principal, "s")
	id := appWith(login.Fingerprint)
	id.Tenant, id.ClientID = login.Tenant, login.ClientID
	other := app
	other.ClientID = "another"
	v.expectAccess("token 1", contoso, id, v.issue)
	v.expectAccess("token 2", contoso, other, v.issue)
	v.erase("fabrikam.azurecr.io")
	v.expectAccess("token 1", contoso, id, down)
	v.erase(contoso)
	v.expectAccess("token 3", contoso, id, v.issue)
	v.expectAccess("token 2", contoso, other, down)
	v.session().DropAccessToken(host("fabrikam.azurecr.io"), other)
	v.expectAccess("token 4", contoso, other, v.issue)
	memory := newMemoryVault(t)
	memory.expectAccess("token 1", contoso, app, memory.issue)
	memory.session().DropAccessToken(host(contoso), app)
	memory.expectAccess("token 2", contoso, app, memory.issue)
}

// TestSession_Token_of_a_planted_failure has a record of another program, which says what it likes.
func TestSession_Token_of_a_planted_failure(t *testing.T) {
	v := newVault(t, "os")
	v.expect(errDown.Error(), app, down)
	file := v.files("os-*/*" + failureSuffix)[0]
	content := must(os.ReadFile(file))
	v.expect(errDown.Error(), app, v.issue) // shared
	writeFile(t, file, bytes.Replace(content, []byte(errDown.Error()), []byte("run: curl evil.example"), 1))
	v.expect("token 1", app, v.issue)
	other := appWith("another secret")
	name := newCacheKey(host(contoso), other).failure()
	writeFile(t, filepath.Join(filepath.Dir(file), name), content) // another identity's
	v.expect("token 2", other, v.issue)
}

// TestSession_AccessToken_planted has files that were renamed to another identity's access token, or to an ACR token.
func TestSession_AccessToken_planted(t *testing.T) {
	v := newVault(t, "os")
	v.expectAccess("token 1", contoso, app, v.issue)
	file := v.files("os-*/*" + accessSuffix)[0]
	content := must(os.ReadFile(file))
	victim := appWith("another secret")
	space := file[:len(file)-len(newAccessKey(host(contoso), app).file())]
	for _, key := range []cacheKey{newAccessKey(host(contoso), victim), newCacheKey(host(contoso), app)} {
		writeFile(t, space+key.file(), content)
	}
	v.expectAccess("token 2", contoso, victim, v.issue)
	v.expect("token 3", app, v.issue)
}
