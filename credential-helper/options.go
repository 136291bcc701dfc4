package credhelper

import (
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/azurevm"
)

// An Option changes what New returns.
type Option func(*Helper)

// WithEnvironment makes the helper see these variables, in the form of os.Environ,
// instead of the process's own.
func WithEnvironment(environ []string) Option {
	return func(h *Helper) { h.env.Environ = environ }
}

// WithTransport makes all requests to Microsoft Entra and to registries go through t. The
// default is http.DefaultTransport, which honors HTTPS_PROXY. Endpoints of managed
// identities are reached through a copy of it without a proxy, if it is an
// *http.Transport.
func WithTransport(t http.RoundTripper) Option {
	return func(h *Helper) { h.env.Transport = t }
}

// WithLogger makes the helper log its steps to l: at level Debug for support (hosts,
// statuses, correlation IDs, never a secret), at level Warn what the user should know
// although nothing failed. The default is no log.
func WithLogger(l *slog.Logger) Option {
	return func(h *Helper) { h.env.Log = l }
}

// WithClock makes the helper count the life of tokens by now instead of time.Now.
func WithClock(now func() time.Time) Option {
	return func(h *Helper) { h.env.Now = now }
}

// WithFirmware makes the helper ask isAzure whether this computer is an Azure VM, and so
// whether its managed identity may be used where no other identity is selected. The
// default looks at the computer's firmware.
func WithFirmware(isAzure func() bool) Option {
	return func(h *Helper) { h.env.OnAzureVM = isAzure }
}

// New returns a Helper. It reads nothing, can't fail and can't block; everything else
// happens at the first call.
func New(options ...Option) *Helper {
	h := &Helper{env: app.Env{
		Transport: http.DefaultTransport, OnAzureVM: azurevm.Detect, Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Executable: os.Executable,
	}}
	for _, o := range options {
		o(h)
	}
	h.open = sync.OnceValues(func() (*app.App, error) {
		if h.env.Environ == nil {
			h.env.Environ = os.Environ()
		}
		return app.Open(h.env)
	})
	return h
}

// NewACRCredentialsHelper returns New() under the name that other helpers for ACR export,
// so that only an import path has to change.
func NewACRCredentialsHelper() credentials.Helper { return New() }
