package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// A Forgotten is what EraseAll has deleted.
type Forgotten struct {
	Erased []Erased
	// Keys are the homes whose key was destroyed.
	Keys []string
}

// EraseAll deletes everything in every compartment, also what this version can't
// read, and then the key in every home that is in use here. Deleting needs no key;
// so where a home can't be used now, the entries are gone, and that the key of some
// of them stays is an error.
func (v *Vault) EraseAll(ctx context.Context) (done Forgotten, err error) {
	root, err := v.anyhow()
	if err != nil {
		return Forgotten{}, err
	}
	var sealedBy []string // homes whose key had something to open
	if root != nil {
		defer root.Close()
		for _, c := range v.compartments(root) {
			sealedBy = append(sealedBy, sealed.HomeOf(c))
			erased, e := empty(root, c)
			done.Erased, err = append(done.Erased, erased...), errors.Join(err, e)
		}
	}
	if err != nil {
		return done, err // what is still there must not lose its key
	}
	for _, home := range v.Keys.Homes() {
		e := v.destroyKey(ctx, home)
		switch {
		case e == nil:
			done.Keys = append(done.Keys, home)
		case !errors.Is(e, fs.ErrNotExist) && slices.Contains(sealedBy, home):
			err = errors.Join(err, fmt.Errorf("everything is forgotten, but the key stays: %w", e))
		}
	}
	for _, home := range slices.Compact(slices.Sorted(slices.Values(sealedBy))) {
		if !slices.Contains(v.Keys.Homes(), home) {
			err = errors.Join(err, fmt.Errorf("everything is forgotten, but a key stays: its keyring (%s) %w", home, errElsewhere))
		}
	}
	return done, err
}

// empty deletes a compartment.
func empty(root *os.Root, compartment string) (erased []Erased, err error) {
	names, _ := fs.Glob(root.FS(), compartment+"/*")
	for _, name := range names {
		f, _ := sealed.Read(root, name)
		suffix := path.Ext(name)
		switch e := root.Remove(name); {
		case e == nil && (suffix == loginSuffix || suffix == tokenSuffix):
			erased = append(erased, Erased{f.Login, suffix == tokenSuffix})
		case e != nil && !errors.Is(e, fs.ErrNotExist):
			err = errors.Join(err, e)
		}
	}
	_ = root.Remove(compartment)
	return erased, err
}

// destroyKey looks before it takes the lock, which would make the vault.
func (v *Vault) destroyKey(ctx context.Context, home string) error {
	if _, err := v.Keys.Key(ctx, home); err != nil {
		return err
	}
	return v.Keys.Delete(ctx, home, func(ctx context.Context) (func(), error) { return v.lockKey(ctx, home) })
}
