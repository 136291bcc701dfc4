package credhelper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// newHelper returns a helper with its own fake Azure, an empty home and a service principal in the environment.
func newHelper(t *testing.T, options ...credhelper.Option) (*credhelper.Helper, *azuretest.Cloud) {
	t.Helper()
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant("")
	app := tenant.AddServicePrincipal("", "s3cret-value")
	for i := range 10 {
		cloud.AddRegistry(fmt.Sprintf("contoso%d.azurecr.io", i), tenant).Grant(app, azuretest.AcrPull)
	}
	environ := []string{
		"DOCKER_CREDENTIAL_ACR_HOME=" + t.TempDir(), "DOCKER_CREDENTIAL_ACR_KEYRING=file",
		"AZURE_TENANT_ID=" + tenant.ID(), "AZURE_CLIENT_ID=" + app.ClientID(), "AZURE_CLIENT_SECRET=s3cret-value",
	}
	options = append([]credhelper.Option{credhelper.WithEnvironment(environ), credhelper.WithTransport(cloud.Transport())}, options...)
	return credhelper.New(options...), cloud
}

func TestHelper_Get_in_many_goroutines(t *testing.T) {
	h, cloud := newHelper(t)
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			host := fmt.Sprintf("contoso%d.azurecr.io", i%10)
			user, pass, err := h.Get(host)
			if err != nil || user != credhelper.NullGUID || pass == "" {
				t.Errorf("%s: %q, %v", host, user, err)
			}
			if _, err := h.List(); err != nil {
				t.Error(err)
			}
			if _, _, err := h.Get("ghcr.io"); !credentials.IsErrCredentialsNotFound(err) {
				t.Errorf("ghcr.io: %v", err)
			}
		})
	}
	all.Wait()
	if n := cloud.Seen(azuretest.KindExchange); n != 10 {
		t.Errorf("%d exchanges for 10 registries", n)
	}
}

// TestNew_touches_nothing is why importers may call New in a package variable.
func TestNew_touches_nothing(t *testing.T) {
	touched := func() time.Time { t.Error("the clock was read"); return time.Time{} }
	var log bytes.Buffer
	credhelper.New(
		credhelper.WithEnvironment([]string{"DOCKER_CREDENTIAL_ACR_KEYRING=nonsense"}),
		credhelper.WithClock(touched),
		credhelper.WithTransport(http.NewFileTransport(nil)),
		credhelper.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
	)
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
	var _ credentials.Helper = credhelper.NewACRCredentialsHelper()
}

func TestHelper_Get_errors(t *testing.T) {
	h, cloud := newHelper(t)
	cloud.Fault("contoso1.azurecr.io", "*", azuretest.Fault{Status: http.StatusUnauthorized, Body: "{}"})
	_, _, err := h.Get("contoso1.azurecr.io")
	var failed *credhelper.Error
	if !errors.As(err, &failed) || failed.Registry != "contoso1.azurecr.io" || failed.Identity == "" || failed.Source != "AZURE_CLIENT_ID" {
		t.Errorf("%+v", err)
	}
	_, _, err = h.Get("contoso1.azurecr.io.evil.example")
	var missing *credhelper.NotFoundError
	if !errors.As(err, &missing) || !credentials.IsErrCredentialsNotFound(err) || err.Error() != credentials.NewErrCredentialsNotFound().Error() || missing.Why == "" {
		t.Errorf("%+v", err)
	}
}

// TestHelper_Get_while_logins_are_stored proves that every answer is one whole login, and none is an error.
func TestHelper_Get_while_logins_are_stored(t *testing.T) {
	h, _ := newHelper(t)
	var all sync.WaitGroup
	done := make(chan struct{})
	all.Go(func() {
		defer close(done)
		for i := range 30 {
			user := fmt.Sprintf("user%d", i)
			for _, server := range []string{"contoso1.azurecr.io", "ghcr.io"} {
				if err := h.Add(&credentials.Credentials{ServerURL: server, Username: user, Secret: "of " + user}); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for _, server := range []string{"contoso1.azurecr.io", "ghcr.io"} {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				user, pass, err := h.Get(server)
				if err != nil && !credentials.IsErrCredentialsNotFound(err) || err == nil && user != credhelper.NullGUID && pass != "of "+user {
					t.Errorf("%s: %q with %q, %v", server, user, pass, err)
				}
			}
		})
	}
	all.Wait()
}

func TestHelper_GetContext_ends_with_its_context(t *testing.T) {
	h, cloud := newHelper(t)
	cloud.Fault("", "*", azuretest.Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := h.GetContext(ctx, "contoso1.azurecr.io"); err == nil {
		t.Error("no error")
	}
}
