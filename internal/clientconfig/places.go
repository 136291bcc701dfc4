package clientconfig

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
)

// Places are where clients look.
type Places struct {
	// Docker is Docker's config.json. Podman reads it last.
	Docker string
	// Auth are the files of containers-auth.json(5), in the order in which Podman,
	// Skopeo and Buildah search them. The last one outlives a restart, and is where
	// helpers are named.
	Auth []string
	// DropIn is our drop-in file for containers-registries.conf(5).
	DropIn string

	// Search are the files in which Podman and its like look for a helper or a login:
	// Auth and, unless one was named by a variable, Docker's.
	Search []string
	// Home is the user's home directory.
	Home string

	registriesConf string
	dropInDirs     []string
}

const (
	containers  = "containers"
	machineConf = "/etc/containers/registries.conf"
)

// FindPlaces goes by the environment, as clients do.
func FindPlaces(getenv func(string) string) (Places, error) {
	home := getenv("HOME")
	if runtime.GOOS == "windows" {
		home = getenv("USERPROFILE")
	}
	if home == "" {
		return Places{}, errors.New("there is no home directory, in which clients' files lie")
	}
	p := Places{Home: home, Docker: filepath.Join(home, ".docker", "config.json"), Auth: authFilesIn(getenv, home)}
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		p.Docker = filepath.Join(dir, "config.json")
	}
	p.Search = p.Auth
	if getenv("REGISTRY_AUTH_FILE") == "" {
		p.Search = append(slices.Clone(p.Auth), p.Docker)
	}
	p.findRegistriesConf(getenv, home, os.Geteuid() == 0)
	return p, nil
}

// authFilesIn follows containers-auth.json(5). What lies in the runtime directory is
// gone with the next restart.
func authFilesIn(getenv func(string) string, home string) []string {
	if file := getenv("REGISTRY_AUTH_FILE"); file != "" {
		return []string{file}
	}
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return []string{filepath.Join(home, ".config", containers, "auth.json")}
	}
	config, run := getenv("XDG_CONFIG_HOME"), getenv("XDG_RUNTIME_DIR")
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	temporary := filepath.Join(run, containers, "auth.json")
	if run == "" {
		temporary = filepath.Join("/run/containers", strconv.Itoa(os.Getuid()), "auth.json")
	}
	return []string{temporary, filepath.Join(config, containers, "auth.json")}
}

// Files are all of Docker's and Podman's, each once.
func (p Places) Files() []string {
	if p.Docker == "" || slices.Contains(p.Search, p.Docker) {
		return p.Search
	}
	return append(slices.Clone(p.Search), p.Docker)
}

// LeaveHidden passes over the temporary one of Auth if we may not even look for it, as
// below /run/containers, where only root may enter. It returns its path, or "".
func (p *Places) LeaveHidden() (path string) {
	if len(p.Auth) < 2 {
		return ""
	}
	if _, err := os.Stat(p.Auth[0]); !errors.Is(err, fs.ErrPermission) {
		return ""
	}
	path, p.Auth, p.Search = p.Auth[0], p.Auth[1:], p.Search[1:]
	return path
}

// findRegistriesConf follows containers-registries.conf.d(5): a user's own
// registries.conf keeps the machine's and its directory out.
func (p *Places) findRegistriesConf(getenv func(string) string, home string, root bool) {
	user := filepath.Join(home, ".config", containers, "registries.conf")
	p.registriesConf, p.dropInDirs = machineConf, []string{machineConf + ".d", user + ".d"}
	named := cmp.Or(getenv("CONTAINERS_REGISTRIES_CONF"), getenv("REGISTRIES_CONFIG_PATH"))
	switch {
	case named != "":
		p.registriesConf = named
	case exists(user):
		p.registriesConf, p.dropInDirs = user, []string{user + ".d"}
	}
	dir := p.dropInDirs[len(p.dropInDirs)-1]
	if root {
		dir = p.dropInDirs[0]
	}
	p.DropIn = filepath.Join(dir, dropInName)
}

// ForAll says whether our drop-in file counts for every user of the machine.
func (p Places) ForAll() bool { return filepath.Dir(p.DropIn) == machineConf+".d" }

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
