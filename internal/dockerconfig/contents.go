// Package dockerconfig reads the files in which clients name their credential helpers:
// Docker's config.json, containers-auth.json(5) and containers-registries.conf(5).
// "Podman" stands for all programs that use the library containers/image: Podman, Skopeo
// and Buildah. Package edit changes the files.
package dockerconfig

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Helper is this helper's name for clients, which put docker-credential- before it.
const Helper = "acr"

// Contents is what Docker's config.json or an auth.json tells clients. They decode it as
// Go does: keys in any case, and the last of several counts.
type Contents struct {
	// Helpers are the helpers of single registries, by the registries' names in the file.
	Helpers map[string]string
	// Store is the helper that Docker asks about all other registries; "" for none.
	// Podman ignores it.
	Store string
	// Credentials are the plaintext credentials, sorted by server.
	Credentials []Credential
	// Empty says that the file has no text. Docker accepts that, Podman doesn't.
	Empty bool
	// Complaint is what Docker warns of, although it goes on; "" for nothing.
	Complaint string
}

// A Credential is a plaintext credential.
type Credential struct {
	// Server is as the file spells it.
	Server string
	// User and Secret are as docker login would store them; empty for what can't be
	// decoded.
	User   string
	Secret secret.String
	// Token says that the secret is a token, which expires.
	Token bool
	// Podman says that Podman would use it: Podman reads auth only, and only if that has
	// a user name and a password.
	Podman bool
}

// DockerHub is Docker's name for Docker Hub, and begins the names of its tokens.
const DockerHub = "https://index.docker.io/v1/"

// isDockerHub reports whether the server is Docker Hub under the name that Docker uses.
func (c Credential) isDockerHub() bool { return strings.HasPrefix(c.Server, DockerHub) }

// Hostname returns the server as Docker names it to a helper: without scheme and path,
// except for Docker Hub. (docker/cli, cli/config/credentials: ConvertToHostname.)
func (c Credential) Hostname() string {
	if c.isDockerHub() {
		return c.Server
	}
	if u, err := url.Parse(c.Server); strings.Contains(c.Server, "://") && err == nil && u.Host != "" {
		return u.Host
	}
	name, _, _ := strings.Cut(c.Server, "/")
	return name
}

// scope returns what Podman uses the credential for: exactly this registry, or the
// repositories below this path. (containers/image, pkg/docker/config:
// normalizeAuthFileKey.)
func (c Credential) scope() string {
	name := strings.TrimPrefix(strings.TrimPrefix(c.Server, "http://"), "https://")
	if name != c.Server {
		name, _, _ = strings.Cut(name, "/")
	}
	return name
}

// IsFor reports whether Podman uses the credential for a registry, or for some of its
// repositories.
func (c Credential) IsFor(host string) bool {
	return c.Podman && c.scope() == host || c.IsForSome(host)
}

// IsForSome reports whether Podman uses the credential for some repositories of a
// registry only.
func (c Credential) IsForSome(host string) bool {
	return c.Podman && strings.HasPrefix(c.scope(), host+"/")
}

// An entry is a member of auths.
type entry struct{ Auth, Username, Password, IdentityToken, RegistryToken, Email, ServerAddress string }

// Read parses the text of a file that is going to be edited, for both clients; an empty one
// has no contents. The error quotes none of it.
func Read(text []byte) (Contents, error) {
	if err := CheckEncoding(text); err != nil {
		return Contents{}, err
	}
	isEmpty := len(bytes.TrimSpace(text)) == 0
	var f file
	if !isEmpty && json.Unmarshal(text, &f) != nil {
		return Contents{}, errMalformed()
	}
	return f.contents(isEmpty), nil
}

// contents decodes the credentials.
func (f file) contents(isEmpty bool) Contents {
	c := Contents{Helpers: f.CredHelpers, Store: f.CredsStore, Empty: isEmpty}
	for _, server := range slices.Sorted(maps.Keys(f.Auths)) {
		if credential, ok := f.Auths[server].credential(server); ok {
			c.Credentials = append(c.Credentials, credential)
		}
	}
	return c
}

// CheckEncoding refuses a text that Windows tools wrote so that Docker and Podman can't read
// it.
func CheckEncoding(text []byte) error {
	switch trimmed, err := safefile.Text(text); {
	case err != nil:
		return fault.New(fault.ClientMalformed, "%v", err)
	case len(trimmed) < len(text):
		return fault.New(fault.ClientMalformed, "it begins with a byte order mark; save it as UTF-8 without one")
	}
	return nil
}

// credential decodes an entry. Docker leaves one with nothing in it where a helper has
// the credential.
func (e entry) credential(server string) (c Credential, ok bool) {
	decoded, err := base64.StdEncoding.DecodeString(e.Auth)
	if err != nil {
		decoded = nil // it would be a part of a password
	}
	user, password, isPair := strings.Cut(string(decoded), ":")
	c = Credential{Server: server, Podman: isPair}
	if e.IdentityToken != "" || e.RegistryToken != "" && !isPair {
		c.User, c.Secret, c.Token = registry.IdentityToken, secret.New(e.IdentityToken), true
		return c, true
	}
	c.User = cmp.Or(user, e.Username)
	c.Secret = secret.New(cmp.Or(strings.Trim(password, "\x00"), e.Password))
	c.Token = c.User == registry.NullGUID || c.User == registry.IdentityToken
	return c, e.Auth+e.Password != ""
}

// ParseAuthVariable returns the servers in DOCKER_AUTH_CONFIG, exactly as Docker compares
// them. What is there counts before any helper. Docker ignores a value that has anything
// else. (docker/cli 29, cli/config/configfile: parseEnvConfig.)
func ParseAuthVariable(value string) (servers []string, err error) {
	var v struct {
		Auths map[string]struct{ Auth string }
	}
	// The decoder's error would quote the value.
	wrong := fault.New(fault.ClientMalformed, "it is not in the format that Docker expects")
	decoder := json.NewDecoder(strings.NewReader(value))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&v) != nil || decoder.More() {
		return nil, wrong
	}
	for server, e := range v.Auths {
		if decoded, err := base64.StdEncoding.DecodeString(e.Auth); err != nil || !bytes.Contains(decoded, []byte(":")) {
			return nil, wrong
		}
		servers = append(servers, server)
	}
	return servers, nil
}

// HasHelper reports whether the file says which helper a registry has, even if that is
// none.
func (c Contents) HasHelper(registry string) bool {
	_, ok := c.Helpers[registry]
	return ok
}

// OwnNames returns the registries that the file names this helper for, as it spells them.
func (c Contents) OwnNames() (names []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Helpers)) {
		if c.Helpers[name] == Helper {
			names = append(names, name)
		}
	}
	return names
}

// RedactKeys makes names of servers in a file fit to be shown: on one line, and without
// what is before the @ of an address, which may be a password.
func RedactKeys(names ...string) string {
	shown := slices.Clone(names)
	for i, name := range shown {
		if at := strings.LastIndex(name, "@"); at >= 0 {
			name = "…" + name[at:]
		}
		shown[i] = text.Line(name)
	}
	return strings.Join(shown, ", ")
}
