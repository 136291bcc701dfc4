package app

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

const program = "docker-credential-acr"

// paths are the files and directories that the program uses; "" where there is none.
type paths struct {
	vault, keyFile, data, userConfig, machineConfig, azure, azd, powerShell string

	foreignHome string // HOME, where it is another user's and root's own is used instead
}

// findPaths follows the XDG Base Directory Specification on Unix, and Apple's and
// Microsoft's conventions elsewhere. A relative path counts as none, as that
// specification demands: a developer tool, which runs elsewhere, would look in another
// directory.
func findPaths(getenv func(string) string) (paths, error) {
	absolute := func(name string) string {
		if path := strings.TrimSpace(getenv(name)); filepath.IsAbs(path) {
			return path
		}
		return ""
	}
	home, own := homes(absolute)
	ownXDG := func(name, byDefault string) string {
		if path := absolute(name); path != "" && !isOthers(path) {
			return path
		}
		return join(own, byDefault)
	}
	data, config, machine := "", "", "/etc"
	switch runtime.GOOS {
	case "windows":
		data, config, machine = absolute("LOCALAPPDATA"), absolute("APPDATA"), absolute("ProgramData")
	case "darwin":
		data = join(own, "Library/Application Support")
		config = data
	default:
		data, config = ownXDG("XDG_DATA_HOME", ".local/share"), ownXDG("XDG_CONFIG_HOME", ".config")
	}
	p := paths{
		data: data, vault: join(data, program+"/vault"),
		userConfig: join(config, program+"/config.json"), machineConfig: join(machine, program+"/config.json"),
		azure: absolute("AZURE_CONFIG_DIR"), azd: absolute("AZD_CONFIG_DIR"), powerShell: join(home, ".Azure"),
	}
	if getenv("AZURE_CONFIG_DIR") == "" {
		p.azure = join(home, ".azure")
	}
	if getenv("AZD_CONFIG_DIR") == "" {
		p.azd = join(home, ".azd")
	}
	if own := absolute("DOCKER_CREDENTIAL_ACR_HOME"); own != "" {
		p.vault, p.userConfig = filepath.Join(own, "vault"), filepath.Join(own, "config.json")
	} else if value := getenv("DOCKER_CREDENTIAL_ACR_HOME"); value != "" {
		return paths{}, fault.InvalidVariable(fault.Settings, "DOCKER_CREDENTIAL_ACR_HOME", value, "must be an absolute path")
	}
	if own != home {
		p.foreignHome = home
	}
	p.keyFile = join(p.vault, "key") // beside what it opens: DOCKER_CREDENTIAL_ACR_HOME moves both
	return p, nil
}

func join(dir, path string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, path)
}

// homes returns the user's home directory, where developer tools have their files, and the
// one for the program's own. They differ if root runs with another user's HOME (sudo -E),
// because that user could not read root's files. Each is "" where there is none.
func homes(absolute func(variable string) string) (home, own string) {
	home = absolute("HOME")
	if runtime.GOOS == "windows" {
		home = absolute("USERPROFILE")
	}
	// A user can't enter every HOME: a service's may be /dev/null, and sudo keeps that of
	// the user that it came from.
	info, err := os.Stat(home + string(filepath.Separator) + ".")
	switch {
	case err != nil, !info.IsDir():
		return "", ""
	case os.Geteuid() == 0 && !safefile.IsOwn(info):
		return home, safefile.OwnHome()
	}
	return home, home
}

// isOthers reports whether root would make a file in a directory of another user.
func isOthers(dir string) bool { return os.Geteuid() == 0 && safefile.IsForeign(dir) }

// override replaces the paths that a program sets in its code. A config file that is set
// there must exist: without it another identity might be selected.
func (p *paths) override(l Library) error {
	for option, path := range map[string]string{"WithVaultDir": l.VaultDir, "WithConfigFile": l.ConfigFile} {
		if path != "" && !filepath.IsAbs(path) {
			return &fault.Error{Code: fault.Settings, Object: option, Reason: option + " needs an absolute path"}
		}
	}
	if l.VaultDir != "" {
		p.vault, p.keyFile = l.VaultDir, filepath.Join(l.VaultDir, "key")
	}
	if l.ConfigFile != "" {
		p.userConfig, p.machineConfig = l.ConfigFile, ""
		if _, err := os.Stat(l.ConfigFile); err != nil {
			return fault.New(fault.Config, "config file %s: %v", text.Line(l.ConfigFile), safefile.Bare(err))
		}
	}
	return nil
}

// sharedLocks returns a directory that all programs of the user find, whatever their
// HOME: keys of the OS and kernel keyrings belong to the session, not to a home
// directory.
func (p paths) sharedLocks() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(p.data, program, "locks") // the vault is there, too
	}
	dir := fmt.Sprintf("/run/user/%d", os.Getuid())
	if _, err := os.Stat(dir + "/."); err == nil {
		return filepath.Join(dir, program)
	}
	return fmt.Sprintf("/tmp/%s-%d", program, os.Getuid())
}

// lockedMarker returns the file by which processes tell each other that the macOS keychain
// is locked; "" elsewhere.
func (p paths) lockedMarker() string {
	if runtime.GOOS != "darwin" {
		return ""
	}
	return filepath.Join(p.sharedLocks(), "keychain-locked")
}

// isFile reports whether there is a file.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
