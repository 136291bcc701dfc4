package dockerconfig

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

// PodmanPrograms are the programs that read Podman's files.
var PodmanPrograms = []string{"podman", "skopeo", "buildah"}

// Paths are where clients look for their files.
type Paths struct {
	// Home is the user's home directory.
	Home string
	// Docker is Docker's config.json.
	Docker string
	// Auth are the files of containers-auth.json(5), in the order in which Podman
	// searches them. The last one outlives a restart, so helpers are named there.
	Auth []string
	// Inaccessible is a file that is missing from Auth, because this user can't even look
	// for it: without XDG_RUNTIME_DIR the temporary one is below /run/containers, which
	// often only root can enter. "" for none.
	Inaccessible string
	// Search are the files in which Podman looks for a helper or a credential: Auth and,
	// unless a variable names the one file, Docker's.
	Search []string
	// Helm and Regctl are the files in which these clients store their own logins, which
	// they prefer to helpers.
	Helm, Regctl string
	// DropIn is where configure writes the drop-in file for
	// containers-registries.conf(5).
	DropIn string

	registriesConf string
	dropInDirs     []string
}

// Names that the manual pages give.
const (
	containers  = "containers"
	authFile    = "auth.json"
	machineConf = "/etc/containers/registries.conf"
)

// AuthFiles stands in a list of helpers for the files of containers-auth.json(5).
const AuthFiles = "containers-auth.json"

// dropInName sorts after names that begin with a digit: the last file counts.
const dropInName = "docker-credential-acr.conf"

// FindPaths follows the environment, as clients do.
func FindPaths(getenv func(string) string) (Paths, error) {
	name := "HOME"
	if runtime.GOOS == "windows" {
		name = "USERPROFILE"
	}
	home := getenv(name)
	if home == "" {
		return Paths{}, fmt.Errorf("%s is not set, so Docker's and Podman's files can't be found", name)
	}
	p := Paths{Home: home}
	p.Docker = filepath.Join(cmp.Or(getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker")), "config.json")
	if file := getenv("REGISTRY_AUTH_FILE"); file != "" {
		p.Auth = []string{file}
		p.Search = p.Auth
	} else {
		p.findAuthFiles(getenv)
		p.Search = append(slices.Clone(p.Auth), p.Docker)
	}
	p.findRegistriesConf(getenv, os.Geteuid() == 0)
	p.Helm = cmp.Or(getenv("HELM_REGISTRY_CONFIG"), filepath.Join(p.helmHome(getenv), "registry", "config.json"))
	p.Regctl = cmp.Or(getenv("REGCTL_CONFIG"), filepath.Join(home, ".regctl", "config.json"))
	return p, nil
}

// helmHome returns Helm's configuration directory. (helm, pkg/helmpath.)
func (p Paths) helmHome(getenv func(string) string) string {
	if dir := getenv("HELM_CONFIG_HOME"); dir != "" {
		return dir
	}
	byDefault := filepath.Join(p.Home, ".config")
	switch runtime.GOOS {
	case "windows":
		byDefault = getenv("APPDATA")
	case "darwin":
		byDefault = filepath.Join(p.Home, "Library", "Preferences")
	}
	return filepath.Join(cmp.Or(getenv("XDG_CONFIG_HOME"), byDefault), "helm")
}

// findAuthFiles follows containers-auth.json(5). The runtime directory is emptied at
// restart.
func (p *Paths) findAuthFiles(getenv func(string) string) {
	config := filepath.Join(p.Home, ".config")
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		p.Auth = []string{filepath.Join(config, containers, authFile)}
		return
	}
	p.Auth = []string{filepath.Join(cmp.Or(getenv("XDG_CONFIG_HOME"), config), containers, authFile)}
	temporary := filepath.Join("/run", containers, strconv.Itoa(os.Getuid()), authFile)
	if run := getenv("XDG_RUNTIME_DIR"); run != "" {
		temporary = filepath.Join(run, containers, authFile)
	}
	if _, err := os.Stat(temporary); errors.Is(err, fs.ErrPermission) {
		p.Inaccessible = temporary
		return
	}
	p.Auth = slices.Insert(p.Auth, 0, temporary)
}

// findRegistriesConf follows containers-registries.conf.d(5): a user's own
// registries.conf replaces the machine's and its directory.
func (p *Paths) findRegistriesConf(getenv func(string) string, root bool) {
	user := filepath.Join(p.Home, ".config", containers, "registries.conf")
	p.registriesConf, p.dropInDirs = machineConf, []string{machineConf + ".d", user + ".d"}
	named := cmp.Or(getenv("CONTAINERS_REGISTRIES_CONF"), getenv("REGISTRIES_CONFIG_PATH"))
	_, err := os.Stat(user)
	switch {
	case named != "":
		p.registriesConf = named
	case err == nil:
		p.registriesConf, p.dropInDirs = user, []string{user + ".d"}
	}
	dir := p.dropInDirs[len(p.dropInDirs)-1]
	if root {
		dir = p.dropInDirs[0]
	}
	p.DropIn = filepath.Join(dir, dropInName)
}

// Files returns all files of Docker and Podman, each once.
func (p Paths) Files() []string {
	if p.Docker == "" || slices.Contains(p.Search, p.Docker) {
		return p.Search
	}
	return append(slices.Clone(p.Search), p.Docker)
}

// ConfiguredNames returns the registries that Docker's and Podman's files name this
// helper for, as they spell them. A file that can't be read has none.
func (p Paths) ConfiguredNames() (names []string) {
	for _, path := range p.Files() {
		contents, _ := p.readOwn(path)
		names = append(names, contents.OwnNames()...)
	}
	return names
}

// Registries returns the login servers of the Azure registries among ConfiguredNames.
func (p Paths) Registries(clouds registry.Clouds) (hosts []string) {
	for _, name := range p.ConfiguredNames() {
		if host, err := clouds.ParseHost(name); err == nil {
			hosts = append(hosts, host.String())
		}
	}
	return hosts
}

// parseHelpers returns the helpers that a registries.conf(5) names for every registry;
// none if it doesn't set them, and for an empty list, which Podman ignores.
func parseHelpers(text []byte) (names []string, err error) {
	var conf struct {
		Helpers []string `toml:"credential-helpers"`
	}
	text, err = safefile.Text(text) // Podman's parser skips the mark, too
	if err != nil {
		return nil, fault.New(fault.ClientMalformed, "%v", err)
	}
	if err := toml.Unmarshal(text, &conf); err != nil {
		line := 0
		if position, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ = position.Position()
		}
		return nil, fault.New(fault.ClientMalformed,
			"it is not valid TOML, or its credential-helpers is not a list of names (line %d)", line)
	}
	return conf.Helpers, nil
}

// AllRegistriesHelpers returns the helpers for every registry, and the file that sets
// them: AuthFiles alone and "" where no file does. A file that can't be read is an error,
// as it is to Podman.
func (p Paths) AllRegistriesHelpers() (names []string, file string, err error) {
	names = []string{AuthFiles}
	for _, path := range p.registriesFiles() { // each replaces what the one before it sets
		text, err := safefile.Read(path, safefile.MaxText)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var found []string
		if err == nil {
			found, err = parseHelpers(text)
		}
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", path, err)
		}
		if len(found) > 0 {
			names, file = found, path
		}
	}
	return names, file, nil
}

// registriesFiles returns registries.conf and its drop-in files, in the order in which
// they are read.
func (p Paths) registriesFiles() []string {
	files := []string{p.registriesConf}
	for _, dir := range p.dropInDirs {
		found, _ := os.ReadDir(dir) // sorted
		for _, f := range found {
			if strings.HasSuffix(f.Name(), ".conf") {
				files = append(files, filepath.Join(dir, f.Name()))
			}
		}
	}
	return files
}

// NeedsDropIn reports whether our drop-in file must be written: not if another file names
// this helper already. Other helpers are an error, unless they are forced and set by a
// file that is read before ours.
func (p Paths) NeedsDropIn(force bool) (bool, error) {
	names, file, err := p.AllRegistriesHelpers()
	if err != nil {
		return false, err
	}
	hasOther := slices.ContainsFunc(names, func(n string) bool { return n != AuthFiles })
	switch {
	case slices.Contains(names, Helper):
		return false, nil
	case p.isAfterDropIn(file):
		return false, fault.New(fault.ClientLaterFile, "%s, which is read later, sets credential-helpers to %q", file, names)
	case hasOther && !force:
		return false, fault.New(fault.ClientOtherHelper, "%s already sets credential-helpers to %q", file, names)
	}
	return true, nil
}

// isAfterDropIn reports whether a file is read after our drop-in file.
func (p Paths) isAfterDropIn(file string) bool {
	own, other := slices.Index(p.dropInDirs, filepath.Dir(p.DropIn)), slices.Index(p.dropInDirs, filepath.Dir(file))
	return other > own || other == own && filepath.Base(file) > dropInName
}

// DropInIsMachineWide reports whether our drop-in file is for every user of the computer.
func (p Paths) DropInIsMachineWide() bool { return filepath.Dir(p.DropIn) == machineConf+".d" }

// DropInPaths returns where our drop-in file may be: for users other than root, only in
// their own directory.
func (p Paths) DropInPaths() (files []string) {
	for _, dir := range p.dropInDirs[slices.Index(p.dropInDirs, filepath.Dir(p.DropIn)):] {
		files = append(files, filepath.Join(dir, dropInName))
	}
	return files
}
