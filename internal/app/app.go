// Package app connects the parts of the program: it opens them once, from an Env, and has
// the operations that both the commands and the library offer. Begin with helper.go,
// which tells what a get does.
package app

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/delegate"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// An App is the program's parts, each opened once. It is safe for many goroutines.
type App struct {
	Env
	// Config is what the config files say; Clouds are its custom clouds. A Config with an
	// error has none: the built-in clouds are known anyway, and Select reports the error.
	Config config.Config
	Clouds registry.Clouds
	// Keys is the vault's key store.
	Keys  *keystore.Store
	Vault *vault.Vault
	// Entra signs in, Exchange exchanges Entra's tokens for the registries'.
	Entra    entra.Client
	Exchange exchange.Client
	// Runner runs other programs.
	Runner subprocess.Runner

	paths   paths
	kubelet *selection.Kubelet // nil unless kubelet asks
	timeout time.Duration      // of a Get
}

// Open opens the parts. It reads the config files, and otherwise no more than which
// directories exist. An error means that a variable of the program itself is wrong.
func Open(env Env) (*App, error) {
	getenv := env.Getenv()
	p, err := findPaths(getenv)
	if err == nil && (env.Library.VaultDir != "" || env.Library.ConfigFile != "") {
		err = p.override(env.Library)
	}
	if err != nil {
		return nil, err
	}
	if env.FromEnvironment {
		p, env.Library.Keyring = paths{}, "none"
	}
	if env.OnAzureVM == nil {
		env.OnAzureVM = func() bool { return false }
	}
	if env.MachineID == nil {
		env.MachineID = func() string { return "" }
	}
	env.Transport = httpguard.Hardened(env.Transport, getenv)
	runner := subprocess.Runner{Getenv: getenv, Environ: env.Environ}
	settings := config.Load(p.userConfig, p.machineConfig)
	a := &App{
		Env: env, Config: settings, Clouds: settings.Clouds,
		Entra: entra.Client{
			Transport: env.Transport, Runner: runner, TokenSource: env.Library.TokenSource, Now: env.Now, Log: env.Log,
		},
		Exchange: exchange.Client{Transport: env.Transport, Now: env.Now, Log: env.Log},
		Runner:   runner, paths: p, timeout: operationTimeout,
	}
	if err := a.openKeys(); err != nil {
		return nil, err
	}
	a.Vault = &vault.Vault{
		Dir: p.vault, SharedLockDir: p.sharedLocks, Keys: a.Keys, Memory: env.Library.Memory, Now: env.Now, Log: env.Log,
	}
	return a, nil
}

// Selector selects identities, with the logins of an opened vault.
func (a *App) Selector(s *vault.Session) selection.Selector {
	return selection.Selector{
		Getenv: a.Runner.Getenv, Config: a.Config, Logins: s,
		AzureDir: a.paths.azure, AzdDir: a.paths.azd, PowerShellDir: a.paths.powerShell,
		Find: a.Runner.Find, OnAzureVM: a.OnAzureVM, Exists: isFile, MachineID: a.MachineID,
		Fixed: a.Library.Identity, EnvironmentOnly: a.FromEnvironment, Kubelet: a.kubelet,
	}
}

// Select returns the identity for a registry; see selection.Selector.Select.
func (a *App) Select(host registry.Host) (identity.Identity, error) {
	s := a.Vault.Open()
	defer s.Close()
	return a.Selector(s).Select(host)
}

// Covers returns a function that reports whether a login for a server or pattern counts
// for a server.
func (a *App) Covers(target string) func(server string) bool {
	return func(server string) bool {
		host, err := a.Clouds.ParseHost(server)
		return server == target || err == nil && registry.Matches(target, host)
	}
}

// KnownServers returns the servers and patterns of stored logins, cached tokens (including
// expired ones), recent failures and the config file. No key store and no delegate is asked.
func (a *App) KnownServers() []string {
	s := a.Vault.Open()
	defer s.Close()
	names := append(a.Config.Hosts(), s.FailedServers()...)
	entries, _ := s.Entries()
	for _, e := range entries {
		if e.Err == nil {
			names = append(names, e.Server)
		}
	}
	return names
}

// Delegate returns the helper that other registries' logins are handed to; nil for none,
// and where it is the one that runs this program.
func (a *App) Delegate() (*delegate.Helper, error) {
	name, err := a.Config.Delegate()
	if err != nil || name == "" || a.Runner.Getenv(delegate.LoopGuard) != "" {
		return nil, err
	}
	return &delegate.Helper{Name: name, Runner: a.Runner, Executable: a.Executable}, nil
}

// An Env is everything that the program touches outside itself. The library has no
// streams and no terminal.
type Env struct {
	// Stdin is the client's request or what the user types, if it is a terminal.
	// ReadPassword reads a line from the terminal without showing it; RestoreTerminal
	// makes the terminal show input again after ReadPassword was interrupted.
	Stdin           io.Reader
	StdinIsTerminal bool
	ReadPassword    func() ([]byte, error)
	RestoreTerminal func()
	// Stdout gets results, Stderr everything else.
	Stdout, Stderr   io.Writer
	StdoutIsTerminal bool
	// Columns returns the width of the terminal at Stdout; nil, or 0, for unknown.
	Columns func() int
	// Environ has the variables, as os.Environ returns them.
	Environ []string
	// Transport carries all requests. Open replaces it with one that says what is wrong with
	// a proxy, which an App that is opened later may get for its connections.
	Transport http.RoundTripper
	// OnAzureVM reports whether this computer is an Azure VM; nil means that it isn't.
	OnAzureVM func() bool
	// MachineID returns what tells this computer from others that may share the user's home
	// directory, "" for unknown; nil means unknown.
	MachineID func() string
	// LookupHost asks DNS for a host's addresses; nil where there is no DNS to ask.
	LookupHost func(ctx context.Context, host string) ([]string, error)
	// FromEnvironment makes the environment the only place that identities come from: no
	// config file, stored login or signed-in tool counts, and nothing is stored.
	FromEnvironment bool
	// Executable returns the path of this program; nil for unknown.
	Executable func() (string, error)
	// Parent returns what tells the process that runs this one from others; nil, or "", for
	// unknown.
	Parent func() string
	// Now is the clock.
	Now func() time.Time
	// Log gets the steps, and warnings for the user.
	Log *slog.Logger
	// Exit ends the program when it is interrupted; nil leaves that to the caller.
	Exit func(status int)
	// Library is what only the library sets.
	Library Library
}

// Library is what a program that uses the library sets in its code. The zero value sets
// nothing.
type Library struct {
	// VaultDir, ConfigFile and Keyring count instead of what the environment and the
	// conventions of the system say; "" for those. The config file must exist.
	VaultDir, ConfigFile, Keyring string
	// Identity is used for every Azure container registry; nil for the one that the rules
	// select. TokenSource belongs to identity.TokenSource.
	Identity    *identity.Identity
	TokenSource entra.TokenSource
	// Keys is the key store of an App that was opened before; nil to open it.
	Keys *keystore.Store
	// Memory caches tokens in front of the vault; nil for none.
	Memory *vault.Memory
}

// Getenv returns a function like os.Getenv. Of two variables of the same name the later
// counts, as in os/exec; on Windows, names in upper and lower case are the same.
func (e Env) Getenv() func(string) string {
	fold := func(name string) string { return name }
	if runtime.GOOS == "windows" {
		fold = strings.ToUpper
	}
	values := make(map[string]string, len(e.Environ))
	for _, entry := range e.Environ {
		if name, value, _ := strings.Cut(entry, "="); name != "" { // Windows has "=C:=C:\\dir"
			values[fold(name)] = value
		}
	}
	return func(name string) string { return values[fold(name)] }
}
