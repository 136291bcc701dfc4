package credhelper

import (
	"log/slog"
	"net/http"
	"time"
)

// An Option changes what New makes.
type Option func(*Helper)

// WithEnvironment makes the helper see these variables, in the form of
// os.Environ, instead of the process's own.
func WithEnvironment(environ []string) Option {
	return func(h *Helper) { h.environ = environ }
}

// WithTransport makes all requests to Microsoft Entra and to registries go
// through t. The default is http.DefaultTransport, which honours HTTPS_PROXY.
func WithTransport(t http.RoundTripper) Option {
	return func(h *Helper) { h.transport = t }
}

// WithLogger makes the helper tell its steps to l: at level Debug for support
// (hosts, statuses, correlation ids, never a secret), at level Warn what its
// user should know although all went well. The default is silence.
func WithLogger(l *slog.Logger) Option {
	return func(h *Helper) { h.log = l }
}

// WithClock makes the helper count the life of tokens by now instead of time.Now.
func WithClock(now func() time.Time) Option {
	return func(h *Helper) { h.now = now }
}
