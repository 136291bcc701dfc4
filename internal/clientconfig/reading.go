package clientconfig

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

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
}

// Read reads a file's text; an empty one says nothing. The error quotes none of it.
func Read(text []byte) (r Reading, err error) {
	var file struct {
		Auths       map[string]json.RawMessage
		CredHelpers map[string]string
		CredsStore  string
	}
	if json.Unmarshal(orEmpty(text), &file) != nil { // its error quotes
		return r, malformed("it is not a JSON object of the form that clients know")
	}
	r.Helpers, r.Store = file.CredHelpers, file.CredsStore
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
		f, _ := ReadFile(path)
		r, _ := Read(f.Text)
		names = append(names, r.Named()...)
	}
	return names
}

// tokenUser goes with a token of any registry; nullGUID with one of ACR's.
const (
	tokenUser = "<token>"
	nullGUID  = "00000000-0000-0000-0000-000000000000"
)

// readLogin reads an entry of auths. One with nothing in it is what Docker leaves
// beside a helper.
func readLogin(server string, entry json.RawMessage) (login Login, ok bool) {
	var e struct{ Auth, Username, Password, IdentityToken, RegistryToken string }
	_ = json.Unmarshal(entry, &e) // what can't be read is no login to its client either
	if e.IdentityToken+e.RegistryToken != "" {
		return Login{server, tokenUser, secret.New(e.IdentityToken), true}, true
	}
	decoded, _ := base64.StdEncoding.DecodeString(e.Auth)
	user, password, _ := strings.Cut(string(decoded), ":")
	user, password = cmp.Or(user, e.Username), cmp.Or(strings.Trim(password, "\x00"), e.Password)
	return Login{server, user, secret.New(password), user == nullGUID || user == tokenUser}, e.Auth+e.Password != ""
}
