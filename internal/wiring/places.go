package wiring

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// places are where things lie; empty where there is no such place.
type places struct{ vault, keyLocks, userConfig, machineConfig, azure, azd, powerShell string }

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
		azure:         toolDir(getenv("AZURE_CONFIG_DIR"), home, ".azure"),
		azd:           toolDir(getenv("AZD_CONFIG_DIR"), home, ".azd"),
		powerShell:    within(home, ".Azure"),
	}
	if own := getenv("DOCKER_CREDENTIAL_ACR_HOME"); own != "" {
		if absolute(own) == "" {
			return places{}, errors.New("DOCKER_CREDENTIAL_ACR_HOME must be an absolute path")
		}
		p.vault, p.userConfig = within(own, "vault"), within(own, "config.json")
	}
	return p, nil
}

// toolDir is where a developer tool keeps what it knows. A relative path would mean
// another place to the tool, which runs elsewhere.
func toolDir(configured, home, usual string) string {
	if configured != "" {
		return absolute(configured)
	}
	return within(home, usual)
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
