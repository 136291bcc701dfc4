package doctor

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// A clientFile is what concerns us in Docker's config.json, and in the auth.json of
// Podman, Skopeo and Buildah, which has the same form.
type clientFile struct {
	path        string
	Auths       map[string]authEntry `json:"auths"`
	CredHelpers map[string]string    `json:"credHelpers"`
	CredsStore  string               `json:"credsStore"`
}

// An authEntry says whether anything is kept in clear; the secret itself is not
// looked at.
type authEntry struct {
	Auth     filled `json:"auth"`
	Password filled `json:"password"`
	Token    filled `json:"identitytoken"`
}

func (a authEntry) secret() bool { return bool(a.Auth || a.Password || a.Token) }

// filled says that a JSON value is something.
type filled bool

// UnmarshalJSON looks no further than whether there is anything.
func (f *filled) UnmarshalJSON(value []byte) error {
	*f = filled(len(value) > len(`""`) && string(value) != "null")
	return nil
}

var errNotJSON = errors.New("it is not a JSON object of the form that clients know")

// readClientFile reads a file that need not exist (fs.ErrNotExist).
func readClientFile(path string) (clientFile, error) {
	if path == "" {
		return clientFile{}, fs.ErrNotExist
	}
	content, err := owner.ReadRegular(path)
	if err != nil {
		return clientFile{path: path}, err
	}
	return parseClientFile(path, content)
}

func parseClientFile(path string, content []byte) (clientFile, error) {
	f := clientFile{path: path}
	if json.Unmarshal(content, &f) != nil { // its text quotes
		return clientFile{path: path}, errNotJSON
	}
	return f, nil
}

// leftover says whether a secret for the host lies in the file in clear.
func (f clientFile) leftover(host string) bool {
	for key, entry := range f.Auths {
		key, _ = strings.CutPrefix(key, "https://")
		if name, _, _ := strings.Cut(key, "/"); name == host && entry.secret() {
			return true
		}
	}
	return false
}

// nearly finds a key that means the host, and that no client takes for it.
func (f clientFile) nearly(host registry.Host) string {
	for key, helper := range f.CredHelpers {
		named, err := registry.ParseHost(key)
		if helper == ours && key != host.String() && (err == nil && named.String() == host.String() || strings.Contains(key, "*") && registry.Matches(key, host)) {
			return key
		}
	}
	return ""
}

// dockerFile is Docker's config.json (docker/cli, cli/config).
func (e *exam) dockerFile() string {
	if dir := e.Getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json")
	}
	return e.below("HOME", ".docker", "config.json")
}

// below joins a path below the directory that a variable names; "" for none.
func (e *exam) below(variable string, parts ...string) string {
	if runtime.GOOS == "windows" && variable == "HOME" {
		variable = "USERPROFILE"
	}
	dir := e.Getenv(variable)
	if dir == "" {
		return ""
	}
	return filepath.Join(append([]string{dir}, parts...)...)
}

// userConfig is a file of the user's below .config.
func (e *exam) userConfig(parts ...string) string {
	if e.Getenv("XDG_CONFIG_HOME") != "" {
		return e.below("XDG_CONFIG_HOME", parts...)
	}
	return e.below("HOME", append([]string{".config"}, parts...)...)
}

// authFiles are the files in which Podman looks, in its order
// (containers-auth.json(5)). One that is named is the only one.
func (e *exam) authFiles() []string {
	if named := e.Getenv("REGISTRY_AUTH_FILE"); named != "" {
		return []string{named}
	}
	var files []string
	if runtime.GOOS == "linux" || runtime.GOOS == "freebsd" {
		runtimeFile := e.below("XDG_RUNTIME_DIR", "containers", "auth.json")
		if runtimeFile == "" {
			runtimeFile = filepath.Join("/run/containers", strconv.Itoa(owner.UID()), "auth.json")
		}
		files = append(files, runtimeFile)
	}
	files = append(files, e.userConfig("containers", "auth.json"), e.dockerFile())
	return slices.DeleteFunc(files, func(path string) bool { return path == "" })
}

// fileHelper stands in credential-helpers for the files above.
const fileHelper = "containers-auth.json"

// credentialHelpers is what registries.conf says about helpers for every registry
// (containers-registries.conf(5)); drop-in files go over the main one, and later
// ones over earlier ones. It returns the file that says it.
func (e *exam) credentialHelpers() (helpers []string, path string) {
	main := e.userConfig("containers", "registries.conf")
	if _, err := owner.ReadRegular(main); err != nil {
		main = "/etc/containers/registries.conf"
	}
	if named := e.Getenv("CONTAINERS_REGISTRIES_CONF"); named != "" {
		main = named
	}
	files := []string{main}
	for _, dir := range []string{"/etc/containers/registries.conf.d", e.userConfig("containers", "registries.conf.d")} {
		more, _ := filepath.Glob(filepath.Join(dir, "*.conf"))
		files = append(files, more...)
	}
	helpers = []string{fileHelper}
	for _, file := range files {
		content, err := owner.ReadRegular(file)
		if found, says := parseHelpers(string(content)); err == nil && says {
			helpers, path = found, file
		}
	}
	return helpers, path
}

// parseHelpers finds one key of a TOML file, which is all that concerns us.
func parseHelpers(content string) (helpers []string, says bool) {
	found := regexp.MustCompile(`(?m)^[ \t]*credential-helpers[ \t]*=[ \t]*\[([^\]]*)\]`).FindStringSubmatch(content)
	if found == nil {
		return nil, false
	}
	for _, item := range regexp.MustCompile(`["']([^"']*)["']`).FindAllStringSubmatch(found[1], -1) {
		helpers = append(helpers, item[1])
	}
	return helpers, true
}
