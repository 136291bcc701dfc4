// Package wiring furnishes the rooms from the world that it is handed, once for
// the library and once for the commands that people type.
package wiring

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/delegate"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/choice"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keyring"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// A World is what the rooms touch outside themselves.
type World struct {
	// Environ holds the variables, as os.Environ does.
	Environ []string
	// Transport carries all requests.
	Transport http.RoundTripper
	// OnAzureVM says whether this machine is one of Azure's; nil means that it isn't.
	OnAzureVM func() bool
	// Log gets the steps.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

// Rooms are the parts of the program, ready to use.
type Rooms struct {
	Identities choice.Chooser
	Vault      *vault.Vault
	Entra      entra.Client
	Exchange   exchange.Client
	// Keyring is the vault's, for the command that has it unlocked.
	Keyring *keyring.Ring

	log       *slog.Logger
	runner    tool.Runner
	delegated bool
}

// Open furnishes the rooms. It reads no more than which directories exist. An
// error means that one of our own variables is wrong.
func Open(w World) (*Rooms, error) {
	getenv := Getenv(w.Environ)
	p, err := findPlaces(getenv)
	if err != nil {
		return nil, err
	}
	ring, err := keyring.Open(keyring.Settings{
		Choice: getenv("DOCKER_CREDENTIAL_ACR_KEYRING"), KeyFile: within(p.vault, "key"), Getenv: getenv,
	})
	if err != nil {
		return nil, err
	}
	if w.OnAzureVM == nil {
		w.OnAzureVM = func() bool { return false }
	}
	runner := tool.Runner{Getenv: getenv, Environ: func() []string { return w.Environ }}
	tools := devtool.Tools{Getenv: runner.Getenv, Environ: runner.Environ, Now: w.Now}
	v := &vault.Vault{Dir: p.vault, KeyLocks: p.keyLocks, Keys: ring, Now: w.Now, Log: w.Log}
	return &Rooms{
		Identities: choice.Chooser{
			Getenv: getenv, Login: v.Login, Patterns: v.Patterns,
			Config:   config.Files{User: p.userConfig, Machine: p.machineConfig},
			AzureDir: p.azure, AzdDir: p.azd, PowerShellDir: p.powerShell,
			HasAzureCLI: func() bool { return tools.Find("az") != "" },
			OnAzureVM:   w.OnAzureVM, Exists: isFile,
		},
		Vault:    v,
		Entra:    entra.Client{Transport: w.Transport, Tools: tools, Getenv: getenv, Now: w.Now, Log: w.Log},
		Exchange: exchange.Client{Transport: w.Transport, Now: w.Now, Log: w.Log},
		Keyring:  ring,
		log:      w.Log,
		runner:   runner, delegated: getenv(delegate.Marker) != "",
	}, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&fs.ModeType == 0
}

// Keep records a login for good, and says so if the keyring can't promise it. It
// returns the login as it was stored.
func (r *Rooms) Keep(ctx context.Context, l identity.Login, value secret.String) (identity.Login, error) {
	stored, err := r.Vault.PutLogin(ctx, l, value)
	if err != nil {
		return identity.Login{}, err
	}
	r.Vault.Forgive(r.Covers(l.Server))
	r.log.Debug("login stored", "registry", l.Server, "who", l.Who(), "tenant", l.Tenant, "compartment", stored.Compartment)
	if strings.HasPrefix(stored.Compartment, "kernel-") && l.Sealed() {
		r.log.Warn("this login is kept until the next restart, or for three days unused: there is no unlocked OS keyring here, only the kernel's; to keep it, unlock the keyring, or set DOCKER_CREDENTIAL_ACR_KEYRING=file for good, and log in again")
	}
	return stored, nil
}

// Covers says of a login for a server or pattern for which servers it counts.
func (r *Rooms) Covers(target string) func(server string) bool {
	clouds, err := r.Identities.Config.Clouds()
	if err != nil {
		clouds = nil // the built-in ones are known all the same
	}
	return func(server string) bool {
		host, err := clouds.ParseHost(server)
		return server == target || err == nil && registry.Matches(target, host)
	}
}

// Known are the servers and patterns that logins, kept tokens and config files name. No
// keyring is asked, and no delegate.
func (r *Rooms) Known() []string {
	names, _ := r.Identities.Config.Hosts()
	stored, _ := r.Vault.List()
	for _, l := range stored {
		names = append(names, l.Server)
	}
	return names
}

// Delegate is the helper that other registries' logins are handed to; nil for none,
// and where it is the one that runs us.
func (r *Rooms) Delegate() (*delegate.Helper, error) {
	name, err := r.Identities.Config.Delegate()
	if err != nil || name == "" || r.delegated {
		return nil, err
	}
	return &delegate.Helper{Name: name, Runner: r.runner, Self: os.Executable}, nil
}

// Getenv turns an environment list into a function like os.Getenv. Of two equal
// names the later counts, as in os/exec.
func Getenv(environ []string) func(string) string {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[foldCase(name)] = value
	}
	return func(name string) string { return values[foldCase(name)] }
}

// foldCase makes names alike that Windows takes for one variable.
func foldCase(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
