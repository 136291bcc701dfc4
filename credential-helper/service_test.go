package credhelper_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	contoso = "contoso.azurecr.io"
	secret  = "s3cret-value"
)

// A mirror is a small service that pulls images for others. It uses nothing but the public API.
type mirror struct{ helper *credhelper.Helper }

func newMirror(id credhelper.Identity, transport http.RoundTripper) *mirror {
	return &mirror{credhelper.New(
		credhelper.WithIdentity(id),
		credhelper.WithKeyring(credhelper.KeyringNone),
		credhelper.WithTransport(transport),
		credhelper.WithEnvironment([]string{}),
	)}
}

// A plan is what the service does about one pull.
type plan struct {
	user, password string        // "" for an anonymous pull
	wait           time.Duration // before the next try
	alert          string        // for the operator
}

func (m *mirror) plan(ctx context.Context, registry string) plan {
	user, password, err := m.helper.GetContext(ctx, registry)
	var missing *credhelper.NotFoundError
	var failed *credhelper.Error
	switch {
	case err == nil:
		return plan{user: user, password: password}
	case errors.As(err, &missing):
		return plan{}
	case errors.Is(err, credhelper.ErrUnavailable) && errors.As(err, &failed):
		return plan{wait: max(failed.RetryAfter, time.Second)}
	case errors.Is(err, credhelper.ErrSignInRequired):
		return plan{alert: "sign in again"}
	case errors.As(err, &failed):
		return plan{alert: failed.Code + ": " + failed.Hint()}
	}
	return plan{alert: err.Error()}
}

func TestService(t *testing.T) {
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant("")
	app := tenant.AddServicePrincipal("", secret)
	registry := cloud.AddRegistry(contoso, tenant)
	registry.Grant(app, azuretest.AcrPull)
	id := credhelper.ServicePrincipal{TenantID: tenant.ID(), ClientID: app.ClientID(), Secret: secret}

	t.Run("signs in once for many registries", func(t *testing.T) {
		m := newMirror(id, cloud.Transport())
		cloud.Reset()
		var all sync.WaitGroup
		for i := range 10 {
			name := fmt.Sprintf("r%d.azurecr.io", i)
			cloud.AddRegistry(name, tenant).Grant(app, azuretest.AcrPull)
			all.Go(func() {
				if p := m.plan(t.Context(), name); p.password == "" {
					t.Errorf("%s: wait %v, alert %q", name, p.wait, p.alert)
				}
			})
		}
		all.Wait()
		expectSeen(t, cloud, 1, 10)
		cloud.Reset()
	})

	t.Run("signs in once for many gets", func(t *testing.T) {
		m := newMirror(id, cloud.Transport())
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				for range 5 {
					if p := m.plan(t.Context(), contoso); p.user != credhelper.NullGUID || p.password == "" {
						t.Errorf("wait %v, alert %q", p.wait, p.alert)
					}
				}
			})
		}
		all.Wait()
		expectSeen(t, cloud, 1, 1)
	})

	t.Run("pulls from other registries anonymously", func(t *testing.T) {
		if p := newMirror(id, cloud.Transport()).plan(t.Context(), "ghcr.io"); p != (plan{}) {
			t.Errorf("wait %v, alert %q", p.wait, p.alert)
		}
	})

	t.Run("waits as long as the registry asks", func(t *testing.T) {
		registry.Throttle(1, "40")
		m := newMirror(id, cloud.Transport())
		before := cloud.Seen(azuretest.KindExchange)
		for range 5 {
			if p := m.plan(t.Context(), contoso); p.wait < 30*time.Second || p.wait > 40*time.Second {
				t.Errorf("wait %v, alert %q", p.wait, p.alert)
			}
		}
		if n := cloud.Seen(azuretest.KindExchange) - before; n != 1 {
			t.Errorf("%d exchanges", n)
		}
	})

	t.Run("alerts when a user must sign in", func(t *testing.T) {
		defer cloud.ClearFaults()
		cloud.Fault(azuretest.DefaultAuthority, "/"+tenant.ID()+"/oauth2/v2.0/token", cloud.AADSTS(50076))
		if p := newMirror(id, cloud.Transport()).plan(t.Context(), contoso); p.alert != "sign in again" {
			t.Errorf("wait %v, alert %q", p.wait, p.alert)
		}
	})

	t.Run("alerts with advice", func(t *testing.T) {
		registry.Firewall("203.0.113.9")
		defer registry.Firewall("")
		p := newMirror(id, cloud.Transport()).plan(t.Context(), contoso)
		if !strings.HasPrefix(p.alert, "acr-firewall: Ask the registry's owner") {
			t.Errorf("wait %v, alert %q", p.wait, p.alert)
		}
	})
}

// expectSeen wants a number of token requests and exchanges since the start.
func expectSeen(t *testing.T, cloud *azuretest.Cloud, signIns, exchanges int) {
	t.Helper()
	if s, e := cloud.Seen(azuretest.KindEntraToken), cloud.Seen(azuretest.KindExchange); s != signIns || e != exchanges {
		t.Errorf("%d sign-ins and %d exchanges, want %d and %d", s, e, signIns, exchanges)
	}
}

func TestWithTokenSource(t *testing.T) {
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant("")
	app := tenant.AddServicePrincipal("", secret)
	cloud.AddRegistry(contoso, tenant).Grant(app, azuretest.AcrPull)
	home := t.TempDir()
	asked := 0
	source := func(_ context.Context, audience string) (string, time.Time, error) {
		asked++
		return app.AccessToken(audience, time.Hour), time.Now().Add(time.Hour), nil
	}
	options := []credhelper.Option{
		credhelper.WithEnvironment([]string{"HOME=" + home, "DOCKER_CREDENTIAL_ACR_HOME=" + home}),
		credhelper.WithVaultDir(filepath.Join(home, "vault")), credhelper.WithKeyring(credhelper.KeyringFile),
		credhelper.WithTransport(cloud.Transport()), credhelper.WithTokenSource(source),
	}
	h := credhelper.New(options...)
	for range 5 {
		if _, password, err := h.Get(contoso); err != nil || password == "" {
			t.Fatal(err)
		}
	}
	if expectSeen(t, cloud, 0, 1); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if files := filesBelow(t, home); len(files) > 0 {
		t.Errorf("on disk: %q", files)
	}
	if _, _, err := credhelper.New(options...).Get(contoso); err != nil || asked != 2 {
		t.Errorf("another Helper: %v, asked %d times", err, asked)
	}
}

func TestWithTokenSource_failures(t *testing.T) {
	cloud := azuretest.Start(t)
	cloud.AddRegistry(contoso, cloud.AddTenant(""))
	cause := errors.New("the session has expired\nRESPONSE 400 with a long body")
	for _, row := range []struct {
		token  string
		expiry time.Time
		err    error
		want   string
	}{
		{"", time.Time{}, cause, "the token source failed: the session has expired"},
		{"", time.Time{}, nil, "the token source returned no token that can be sent"},
		{"a b", time.Time{}, nil, "the token source returned no token that can be sent"},
		{"x", time.Now().Add(-time.Second), nil, "the token source returned a token that has expired"},
	} {
		_, _, err := credhelper.New(
			credhelper.WithEnvironment([]string{}), credhelper.WithKeyring(credhelper.KeyringNone),
			credhelper.WithTransport(cloud.Transport()),
			credhelper.WithTokenSource(func(context.Context, string) (string, time.Time, error) {
				return row.token, row.expiry, row.err
			}),
		).Get(contoso)
		want := fmt.Sprintf("%s: signing in as the token source: %s", contoso, row.want)
		var failed *credhelper.Error
		if !errors.As(err, &failed) || err.Error() != want || failed.Code != "failed" || failed.Source != "WithTokenSource" {
			t.Errorf("%+v, want %q", err, want)
		}
		if row.err != nil && !errors.Is(err, row.err) {
			t.Errorf("%v doesn't wrap the cause", err)
		}
	}
	if expectSeen(t, cloud, 0, 0); t.Failed() {
		t.Log(cloud.Requests())
	}
}

func filesBelow(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A proxy variable that is not valid must not make the library connect directly.
func TestHelper_GetContext_with_a_wrong_proxy(t *testing.T) {
	h := credhelper.New(credhelper.WithKeyring(credhelper.KeyringNone), credhelper.WithEnvironment([]string{
		"AZURE_CLIENT_ID=7d1c0000-0000-4000-8000-00000000abcd", "AZURE_TENANT_ID=11111111-2222-3333-4444-555555555555",
		"AZURE_CLIENT_SECRET=" + secret, "HTTPS_PROXY=http://ada:p4ssw%G4g@127.0.0.1:1",
	}))
	_, _, err := h.GetContext(t.Context(), contoso)
	var failed *credhelper.Error
	if !errors.As(err, &failed) || failed.Code != "variable" || !strings.HasSuffix(err.Error(), "HTTPS_PROXY is not a valid proxy URL") {
		t.Error(err)
	}
}
