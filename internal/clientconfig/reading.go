package clientconfig

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Reading is what Docker's config.json or an auth.json tells its clients. Those
// decode it as Go does: keys in any case of letters, the last of several counts.
type Reading struct {
	// Helpers are the helpers of single registries, by their names in the file.
	Helpers map[string]string
	// Store is the helper that Docker asks about all others; "" for none. Podman and
	// its like pass over it.
	Store string
	// Logins are the credentials in clear, by server.
	Logins []Login
	// Empty says that there is nothing at all, which Docker takes for a file that says
	// nothing, and Podman for one that is broken.
	Empty bool
}

// A Login is a credential in clear.
type Login struct {
	// Server is as the file spells it.
	Server string
	// User and Secret are as docker login would store them; empty for what can't be
	// read.
	User   string
	Secret secret.String
	// Token says that the secret is one that ends by itself, and that others can be
	// had in its place.
	Token bool
	// Podman says that Podman and its like would read it: they look at auth only, and
	// pass over what isn't a name and password there.
	Podman bool
}

// Bare is the server as Docker asks a helper for it: without scheme and path, but for
// Docker Hub's. (docker/cli, cli/config/credentials: ConvertToHostname.)
func (l Login) Bare() string {
	if l.IsHub() {
		return l.Server
	}
	if u, err := url.Parse(l.Server); strings.Contains(l.Server, "://") && err == nil && u.Host != "" {
		return u.Host
	}
	name, _, _ := strings.Cut(l.Server, "/")
	return name
}

// IsHub says whether it is one of Docker Hub's by the name that Docker gives it.
func (l Login) IsHub() bool { return strings.HasPrefix(l.Server, hub) }

// Scope is what Podman and its like take it for, letter by letter: a registry, or the
// repositories below a path. (containers/image, pkg/docker/config:
// normalizeAuthFileKey.)
func (l Login) Scope() string {
	name := strings.TrimPrefix(strings.TrimPrefix(l.Server, "http://"), "https://")
	if name != l.Server {
		name, _, _ = strings.Cut(name, "/")
	}
	return name
}

// IsFor says whether Podman and its like take it for a registry's, or for some of its
// repositories.
func (l Login) IsFor(host string) bool {
	return l.Podman && (l.Scope() == host || strings.HasPrefix(l.Scope(), host+"/"))
}

// hub is what Docker calls Docker Hub, and what its tokens' names begin with.
const hub = "https://index.docker.io/v1/"

// Read reads a file's text; an empty one says nothing. The error quotes none of it.
func Read(text []byte) (r Reading, err error) {
	var file struct {
		Auths       map[string]entry
		CredHelpers map[string]string
		CredsStore  string
	}
	if json.Unmarshal(orEmpty(text), &file) != nil { // its error quotes
		return r, malformed("it is not a JSON object of the form that clients know")
	}
	r.Helpers, r.Store, r.Empty = file.CredHelpers, file.CredsStore, len(bytes.TrimSpace(text)) == 0
	for _, server := range slices.Sorted(maps.Keys(file.Auths)) {
		if login, ok := readLogin(server, file.Auths[server]); ok {
			r.Logins = append(r.Logins, login)
		}
	}
	return r, nil
}

// Named are the registries that a file names us for, as it spells them.
func (r Reading) Named() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(r.Helpers)) {
		if r.Helpers[name] == Helper {
			names = append(names, name)
		}
	}
	return names
}

// Named are the registries that Docker's or Podman's files name us for, as they spell
// them. A file that can't be read names none.
func (p Places) Named() (names []string) {
	for _, path := range p.Files() {
		f, _ := atomicfile.Read(path)
		r, _ := Read(f.Text)
		names = append(names, r.Named()...)
	}
	return names
}

// Registries are the ones of Azure among those that files name us for, by their login
// servers.
func (p Places) Registries(clouds registry.Clouds) (hosts []string) {
	for _, name := range p.Named() {
		if host, err := clouds.ParseHost(name); err == nil {
			hosts = append(hosts, host.String())
		}
	}
	return hosts
}

// Variable reads DOCKER_AUTH_CONFIG: the servers that Docker finds a login for there,
// letter by letter, before it asks any helper. It passes over a value that isn't just of
// this form. (docker/cli 29, cli/config/configfile: parseEnvConfig.)
func Variable(value string) (servers []string, err error) {
	var v struct {
		Auths map[string]struct {
			Auth string `json:"auth"`
		} `json:"auths"`
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&v) != nil || decoder.More() { // its error quotes
		return nil, malformed("it is not of the form that Docker knows")
	}
	for server, e := range v.Auths {
		if decoded, err := base64.StdEncoding.DecodeString(e.Auth); err != nil || !bytes.Contains(decoded, []byte(":")) {
			return nil, malformed("it is not of the form that Docker knows")
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// tokenUser goes with a token of any registry; nullGUID with one of ACR's.
const (
	tokenUser = "<token>"
	nullGUID  = "00000000-0000-0000-0000-000000000000"
)

// An entry is one of auths.
type entry struct{ Auth, Username, Password, IdentityToken, RegistryToken string }

// readLogin reads an entry. One with nothing in it is what Docker leaves beside a
// helper.
func readLogin(server string, e entry) (login Login, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		decoded = nil // which would be a part of a password
	}
	user, password, whole := strings.Cut(string(decoded), ":")
	if e.IdentityToken != "" || e.RegistryToken != "" && !whole {
		return Login{server, tokenUser, secret.New(e.IdentityToken), true, whole}, true
	}
	user, password = cmp.Or(user, e.Username), cmp.Or(strings.Trim(password, "\x00"), e.Password)
	return Login{server, user, secret.New(password), user == nullGUID || user == tokenUser, whole}, e.Auth+e.Password != ""
}
