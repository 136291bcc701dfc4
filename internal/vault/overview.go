package vault

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// StoredToken stands for whoever earned a token that came in from outside.
var StoredToken = identity.Identity{Kind: identity.ACRToken, Audience: registry.Audience}

// An Entry is what can be said of an entry without any key.
type Entry struct {
	// Login is its header; empty where that could not be read.
	identity.Login
	// Token says that it is a token, and not a login.
	Token bool
	// Home is where its key lies; Reachable says that this home is among those in
	// use here. Whether the key is there, only the keyring knows.
	Home      string
	Reachable bool
	// Life is a token's, without the token.
	Life secret.Token
	// Unreadable says why the header could not be read; nil if it could.
	Unreadable error
}

// Overview lists logins and tokens, ended ones too, in every compartment. It needs
// no key.
func (v *Vault) Overview() (found []Entry, err error) {
	root, err := v.anyhow()
	if root == nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range entries(root) {
		if path.Ext(name) == failureSuffix {
			continue
		}
		if e, ok := v.entry(root, name); ok {
			found = append(found, e)
		}
	}
	return found, nil
}

// entry reads a header. A token that can't be read is no entry: it is as good as
// absent.
func (v *Vault) entry(root *os.Root, name string) (Entry, bool) {
	f, err := sealed.Read(root, name)
	e := Entry{Login: f.Login, Token: path.Ext(name) == tokenSuffix, Home: sealed.HomeOf(path.Dir(name)), Life: f.Life(), Unreadable: err}
	e.Reachable = slices.Contains(v.Keys.Homes(), e.Home)
	return e, !errors.Is(err, fs.ErrNotExist) && (err == nil || !e.Token)
}

// Peek says of the token that Get would look for what can be known without any
// key: of several the one that Get would try first, else one that has ended, or
// whose key can't be reached from here. The failure is one that is still shared;
// nil for none.
func (v *Vault) Peek(host registry.Host, id identity.Identity) (kept Entry, ok bool, failed *Failure) {
	name := tokenName(host, id)
	failed = v.look(name).failure
	root, err := v.open()
	if err != nil {
		return Entry{}, false, failed
	}
	defer root.Close()
	better := func(a, b Entry) bool {
		if a.Reachable != b.Reachable {
			return a.Reachable
		}
		return a.Life.Expires.After(b.Life.Expires)
	}
	for _, c := range v.compartments(root) {
		e, found := v.entry(root, path.Join(c, name))
		if found && (!ok || better(e, kept)) {
			kept, ok = e, true
		}
	}
	return kept, ok, failed
}

// HomeOf is where the key of a stored login lies, and whether that is among the
// homes in use here; "" for a login that didn't come from Login.
func (v *Vault) HomeOf(l identity.Login) (home string, reachable bool) {
	home = sealed.HomeOf(l.Compartment)
	return home, slices.Contains(v.Keys.Homes(), home)
}
