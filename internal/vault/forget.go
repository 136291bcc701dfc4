package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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
// read, and then the keys that it was sealed with. Deleting needs no key; so where a
// home can't be used now, the entries are gone, and that their key stays is an error.
// Their compartment stays then, too, so that the next EraseAll knows of the key. A key
// that has sealed nothing here may be another vault's, and is left alone.
func (v *Vault) EraseAll(ctx context.Context) (done Forgotten, err error) {
	root, err := v.anyhow()
	if root == nil {
		return Forgotten{}, err
	}
	defer root.Close()
	byHome := map[string][]string{}
	for _, c := range v.compartments(root) {
		byHome[sealed.HomeOf(c)] = append(byHome[sealed.HomeOf(c)], c)
		erased, e := v.empty(root, c)
		done.Erased, err = append(done.Erased, erased...), errors.Join(err, e)
	}
	if err != nil {
		return done, err // what is still there must not lose its key
	}
	for _, home := range slices.Sorted(maps.Keys(byHome)) {
		e := v.destroyKey(ctx, home, byHome[home])
		if e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, &KeyError{e})
			continue
		}
		if e == nil {
			done.Keys = append(done.Keys, home)
		}
		for _, c := range byHome[home] {
			_ = root.Remove(c)
		}
	}
	return done, err
}

// empty deletes what lies in a compartment.
func (v *Vault) empty(root *os.Root, compartment string) (erased []Erased, err error) {
	names, _ := fs.Glob(root.FS(), compartment+"/*")
	for _, name := range names {
		f, _ := sealed.Read(root, name)
		suffix := path.Ext(name)
		switch e := root.Remove(name); {
		case e == nil && (suffix == loginSuffix || suffix == tokenSuffix):
			erased = append(erased, Erased{f.Login, suffix == tokenSuffix})
		case e != nil && !errors.Is(e, fs.ErrNotExist):
			err = v.undeleted(e)
		}
	}
	return erased, err
}

// A KeyError says that everything is forgotten, but a key stays.
type KeyError struct{ Why error }

func (e *KeyError) Error() string {
	return "everything is forgotten, but the key stays: " + e.Why.Error()
}

func (e *KeyError) Unwrap() error { return e.Why }

// Code is what the hint is looked up by.
func (e *KeyError) Code() string { return CodeKeyStays }

// destroyKey destroys a home's key, provided that it is the one of these
// compartments. fs.ErrNotExist means that theirs is gone already.
func (v *Vault) destroyKey(ctx context.Context, home string, compartments []string) error {
	if !slices.Contains(v.Keys.Homes(), home) {
		return fmt.Errorf("its keyring (%s) %w", home, errElsewhere)
	}
	key, err := v.Keys.Key(ctx, home)
	if err == nil && !slices.Contains(compartments, sealed.Compartment(home, key)) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return err
	}
	return v.Keys.Delete(ctx, home, func(ctx context.Context) (func(), error) { return v.lockKey(ctx, home) })
}
