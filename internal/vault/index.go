package vault

import (
	"context"
	"encoding/json"
	"errors"
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

// Erase deletes the login, the tokens and the noted failures of a server in
// every compartment. It needs no key. What isn't there is no error.
func (v *Vault) Erase(ctx context.Context, server string) error {
	root, err := v.anyhow()
	if root == nil {
		return err
	}
	defer root.Close()
	defer v.changing(ctx, server)()
	for _, name := range entries(root) {
		if path.Base(name) == loginName(server) || belongs(root, name, server) {
			if e := root.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// belongs says whether a token or note was made for the server.
func belongs(root *os.Root, name, server string) bool {
	if path.Ext(name) == failureSuffix {
		content, err := sealed.ReadPrivate(root, name)
		var note Failure
		return err == nil && json.Unmarshal(content, &note) == nil && note.Server == server
	}
	f, err := sealed.Read(root, name)
	return err == nil && f.Server == server
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
