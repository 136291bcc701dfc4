package credhelper

import (
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/firmware"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// An Option changes what New makes.
type Option func(*Helper)

// WithEnvironment makes the helper see these variables, in the form of
// os.Environ, instead of the process's own.
func WithEnvironment(environ []string) Option {
	return func(h *Helper) { h.world.Environ = environ }
}

// WithTransport makes all requests to Microsoft Entra and to registries go
// through t. The default is http.DefaultTransport, which honours HTTPS_PROXY.
// Endpoints of managed identities are reached through a copy of it without any
// proxy, if it is an *http.Transport.
func WithTransport(t http.RoundTripper) Option {
	return func(h *Helper) { h.world.Transport = t }
}

// WithLogger makes the helper tell its steps to l: at level Debug for support
// (hosts, statuses, correlation ids, never a secret), at level Warn what its
// user should know although all went well. The default is silence.
func WithLogger(l *slog.Logger) Option {
	return func(h *Helper) { h.world.Log = l }
}

// WithClock makes the helper count the life of tokens by now instead of time.Now.
func WithClock(now func() time.Time) Option {
	return func(h *Helper) { h.world.Now = now }
}

// WithFirmware makes the helper ask isAzure whether this machine is one of Azure's,
// and so whether its managed identity may be used where nobody else is chosen. The
// default looks at the machine's firmware.
func WithFirmware(isAzure func() bool) Option {
	return func(h *Helper) { h.world.OnAzureVM = isAzure }
}

// New returns a Helper. It reads nothing, can't fail and can't block; what it
// needs it looks up at the first call.
func New(options ...Option) *Helper {
	h := &Helper{world: wiring.World{
		Transport: http.DefaultTransport, OnAzureVM: firmware.AzureVM, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}}
	for _, o := range options {
		o(h)
	}
	h.rooms = sync.OnceValues(func() (*rooms, error) {
		if h.world.Environ == nil {
			h.world.Environ = os.Environ()
		}
		r, err := wiring.Open(h.world)
		return &rooms{r}, err
	})
	return h
}

// NewACRCredentialsHelper returns New() under the name that other helpers for
// ACR export, so that an import path is all that changes.
func NewACRCredentialsHelper() credentials.Helper { return New() }
