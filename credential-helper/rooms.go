package credhelper

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keyring"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// rooms are the parts that a Helper leads through.
type rooms struct {
	identities identity.Chooser
	vault      *vault.Vault
	entra      entra.Client
	exchange   exchange.Client
}

// open furnishes the rooms from the environment. An error means that one of our
// own variables is wrong.
func (h *Helper) open() (*rooms, error) {
	getenv, environ := os.Getenv, os.Environ
	if h.environ != nil {
		getenv, environ = lookup(h.environ), func() []string { return h.environ }
	}
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
	tools := devtool.Tools{Getenv: getenv, Environ: environ, Now: h.now}
	v := &vault.Vault{Dir: p.vault, KeyLocks: p.keyLocks, Keys: ring, Now: h.now, Log: h.log}
	return &rooms{
		identities: identity.Chooser{
			Getenv: getenv, Login: v.Login,
			UserConfig: p.userConfig, MachineConfig: p.machineConfig,
			AzureDir: p.azure, HasAzureCLI: func() bool { return tools.Find("az") != "" },
		},
		vault:    v,
		entra:    entra.Client{Transport: h.transport, Tools: tools, Now: h.now, Log: h.log},
		exchange: exchange.Client{Transport: h.transport, Now: h.now, Log: h.log},
	}, nil
}

// lookup turns an environment list into a function like os.Getenv. Of two equal
// names the later counts, as in os/exec.
func lookup(environ []string) func(string) string {
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

// places are where things lie; empty where there is no such place.
type places struct{ vault, keyLocks, userConfig, machineConfig, azure string }

const program = "docker-credential-acr"

// findPlaces follows the XDG Base Directory Specification on Unix, Apple's and
// Microsoft's customs elsewhere. It is no library's work, because those read the
// process's own environment when the program starts.
func findPlaces(getenv func(string) string) (places, error) {
	home := getenv("HOME")
	if runtime.GOOS == "windows" {
		home = getenv("USERPROFILE")
	}
	home = enterable(absolute(home))
	data, config, machine := baseDirs(getenv, home)
	p := places{
		vault:         within(data, program, "vault"),
		keyLocks:      common(data),
		userConfig:    within(config, program, "config.json"),
		machineConfig: within(machine, program, "config.json"),
		azure:         absolute(getenv("AZURE_CONFIG_DIR")),
	}
	if getenv("AZURE_CONFIG_DIR") == "" { // a relative one would mean another place to az, which runs elsewhere
		p.azure = within(home, ".azure")
	}
	if own := getenv("DOCKER_CREDENTIAL_ACR_HOME"); own != "" {
		if absolute(own) == "" {
			return places{}, errors.New("DOCKER_CREDENTIAL_ACR_HOME must be an absolute path")
		}
		p.vault, p.userConfig = within(own, "vault"), within(own, "config.json")
	}
	return p, nil
}

// baseDirs finds the user's data directory, the user's and the machine's
// configuration directories.
func baseDirs(getenv func(string) string, home string) (data, config, machine string) {
	switch runtime.GOOS {
	case "windows":
		return absolute(getenv("LOCALAPPDATA")), absolute(getenv("APPDATA")), absolute(getenv("ProgramData"))
	case "darwin":
		support := within(home, "Library", "Application Support")
		return support, support, "/etc"
	}
	data, config = absolute(getenv("XDG_DATA_HOME")), absolute(getenv("XDG_CONFIG_HOME"))
	if data == "" {
		data = within(home, ".local", "share")
	}
	if config == "" {
		config = within(home, ".config")
	}
	return data, config, "/etc"
}

// absolute drops a path that isn't absolute, as the XDG specification demands.
func absolute(path string) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	return path
}

// common is a directory that all programs of the user find, whatever their HOME:
// the keyring, too, is the session's, not the home's.
func common(data string) string {
	if runtime.GOOS == "windows" {
		return within(data, program, "locks")
	}
	if dir := enterable(fmt.Sprintf("/run/user/%d", os.Getuid())); dir != "" {
		return within(dir, program)
	}
	return fmt.Sprintf("/tmp/%s-%d", program, os.Getuid())
}

// enterable drops a home that isn't ours to enter, as that of a service user
// (/dev/null) or of the user that sudo came from: one works without.
func enterable(dir string) string {
	if info, err := os.Stat(dir + string(filepath.Separator) + "."); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// within joins a path below a directory that may not exist.
func within(dir string, parts ...string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}
