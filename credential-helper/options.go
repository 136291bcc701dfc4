package credhelper

import (
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/azurevm"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// An Option changes what New returns. A nil Option changes nothing.
type Option func(*Helper)

// WithEnvironment makes the helper see these variables, in the form of os.Environ,
// instead of the process's own. nil means the process's own, at the time of each call; an
// empty slice means no variables.
func WithEnvironment(environ []string) Option {
	return func(h *Helper) { h.env.Environ = environ }
}

// WithTransport makes all requests to Microsoft Entra and to registries go through t. nil
// means http.DefaultTransport, which honors HTTPS_PROXY; one that is not valid is an error.
// Of an *http.Transport with a proxy a copy is used. Endpoints of managed identities
// are reached through a copy of it without a proxy, if it is an *http.Transport.
func WithTransport(t http.RoundTripper) Option {
	return func(h *Helper) { h.env.Transport = t }
}

// WithLogger makes the helper log its steps to l: at level Debug for support (hosts,
// statuses, correlation IDs, never a secret), at level Warn what the user should know
// although nothing failed. nil means no log.
func WithLogger(l *slog.Logger) Option {
	return func(h *Helper) { h.env.Log = l }
}

// WithClock makes the helper count the life of tokens by now. nil means time.Now.
func WithClock(now func() time.Time) Option {
	return func(h *Helper) { h.env.Now = now }
}

// WithAzureVMDetector makes the helper ask isAzureVM whether this computer is an Azure VM,
// and so whether its managed identity may be used where no other identity is selected. nil
// means to look at the computer's firmware.
func WithAzureVMDetector(isAzureVM func() bool) Option {
	return func(h *Helper) { h.env.OnAzureVM = isAzureVM }
}

// WithVaultDir makes the helper keep encrypted logins and tokens in dir, an absolute path
// of a directory that no other user can write to; it is created when it is needed. "" means
// the user's own, which the program uses too.
func WithVaultDir(dir string) Option {
	return func(h *Helper) { h.env.Library.VaultDir = dir }
}

// WithConfigFile makes the helper read the config file at path instead of the user's and
// the machine's. It must be an absolute path, and the file must exist. "" means those two,
// which need not exist.
func WithConfigFile(path string) Option {
	return func(h *Helper) { h.env.Library.ConfigFile = path }
}

// A Keyring says where the key is that encrypts logins and tokens on disk.
type Keyring string

// The values of Keyring. The zero value leaves the choice to
// DOCKER_CREDENTIAL_ACR_KEYRING.
const (
	// KeyringAuto is the OS keyring, or else the Linux kernel's, or else none.
	KeyringAuto Keyring = "auto"
	// KeyringOS is the Secret Service, the macOS Keychain or the Windows Credential Manager.
	KeyringOS Keyring = "os"
	// KeyringKernel is the Linux kernel's keyring, which forgets at restart.
	KeyringKernel Keyring = "kernel"
	// KeyringFile is a file with mode 0600 in the vault's directory.
	KeyringFile Keyring = "file"
	// KeyringNone writes nothing to disk and opens nothing there: tokens are cached in
	// memory only, and logins can't be stored.
	KeyringNone Keyring = "none"
)

// WithKeyring makes the helper use this keyring. It is chosen at the first call.
func WithKeyring(k Keyring) Option {
	return func(h *Helper) { h.env.Library.Keyring = string(k) }
}

// New returns a Helper. It reads nothing, can't fail and can't block; everything else
// happens at the first call. Each Helper has a cache in memory of its own.
func New(options ...Option) *Helper {
	h := &Helper{env: app.Env{Executable: os.Executable, Library: app.Library{Memory: &vault.Memory{}}}}
	for _, o := range options {
		if o != nil {
			o(h)
		}
	}
	if h.env.Transport == nil {
		h.env.Transport = http.DefaultTransport
	}
	if h.env.Log == nil {
		h.env.Log = slog.New(slog.DiscardHandler)
	}
	if h.env.Now == nil {
		h.env.Now = time.Now
	}
	if h.env.OnAzureVM == nil {
		h.env.OnAzureVM = azurevm.Detect
	}
	if h.env.MachineID == nil {
		h.env.MachineID = azurevm.MachineID
	}
	return h
}

func environ() []string { return os.Environ() }

// NewACRCredentialsHelper returns New() under the name that other helpers for ACR export,
// so that only an import path has to change.
func NewACRCredentialsHelper() credentials.Helper { return New() }
