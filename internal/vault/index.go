package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// List returns what the vault could answer for, in every compartment: stored
// logins, and living tokens as logins without a fingerprint. It needs no key.
func (v *Vault) List() ([]identity.Login, error) {
	root, err := v.anyhow()
	if root == nil {
		return nil, err
	}
	defer root.Close()
	var found []identity.Login
	for _, name := range entries(root) {
		f, err := sealed.Read(root, name)
		if err == nil && (path.Ext(name) == loginSuffix || path.Ext(name) == tokenSuffix && f.Life().Alive(v.Now())) {
			found = append(found, f.Login)
		}
	}
	return found, nil
}

// anyhow opens the vault for looking and deleting, which is all right even where
// its permissions are not. A nil root without an error is an empty vault.
func (v *Vault) anyhow() (*os.Root, error) {
	if info, err := os.Stat(v.Dir); v.Dir == "" || err != nil || !info.IsDir() {
		return nil, nil
	}
	return os.OpenRoot(v.Dir)
}

// RegistryTenant is the tenant that a token kept for the server names; "" for
// not known. It needs no key.
func (v *Vault) RegistryTenant(server string) string {
	root, err := v.open()
	if err != nil {
		return ""
	}
	defer root.Close()
	for _, name := range entries(root) {
		if f, err := sealed.Read(root, name); err == nil && f.Server == server && f.RegistryTenant != "" {
			return f.RegistryTenant
		}
	}
	return ""
}

// Erase deletes the login of a server or pattern, and the tokens and noted
// failures of the servers that it covers, in every compartment. It needs no key.
// What isn't there is no error.
func (v *Vault) Erase(ctx context.Context, server string, covers func(server string) bool) (erased []Erased, err error) {
	root, err := v.anyhow()
	if root == nil {
		return nil, err
	}
	defer root.Close()
	defer v.changing(ctx, server)()
	for _, name := range entries(root) {
		login := path.Base(name) == loginName(server)
		if !login && (path.Ext(name) == loginSuffix || !covers(serverOf(root, name))) {
			continue
		}
		f, _ := sealed.Read(root, name)
		switch e := root.Remove(name); {
		case e == nil && path.Ext(name) != failureSuffix:
			erased = append(erased, Erased{f.Login, !login})
		case e != nil && !errors.Is(e, fs.ErrNotExist):
			err = v.undeleted(e)
		}
	}
	return erased, err
}

// undeleted says where something stays that was to go.
func (v *Vault) undeleted(err error) error {
	if failed := new(fs.PathError); errors.As(err, &failed) {
		err = failed.Err
	}
	return fmt.Errorf("deleting from %s: %w", v.Dir, err)
}

// Erased is an entry that Erase has deleted.
type Erased struct {
	// Login is its header; empty where that could not be read.
	identity.Login
	// Token says that it was a token, not the login itself.
	Token bool
}

// Forgive deletes the noted failures of the servers that a new login covers: what
// failed before says nothing about it.
func (v *Vault) Forgive(covers func(server string) bool) {
	root, err := v.anyhow()
	if root == nil || err != nil {
		return
	}
	defer root.Close()
	for _, name := range entries(root) {
		if path.Ext(name) == failureSuffix && covers(serverOf(root, name)) {
			_ = root.Remove(name)
		}
	}
}

// serverOf is the server that a token or note was made for; "" for not known.
func serverOf(root *os.Root, name string) string {
	if path.Ext(name) == failureSuffix {
		var note Failure
		if content, err := sealed.ReadPrivate(root, name); err != nil || json.Unmarshal(content, &note) != nil {
			return ""
		}
		return note.Server
	}
	f, err := sealed.Read(root, name)
	if err != nil {
		return ""
	}
	return f.Server
}

// entries lists the files of all compartments, those that somebody is writing
// left out.
func entries(root *os.Root) []string {
	var found []string
	for _, suffix := range []string{loginSuffix, tokenSuffix, failureSuffix} {
		names, _ := fs.Glob(root.FS(), "*-*/*"+suffix)
		found = append(found, names...)
	}
	return found
}
