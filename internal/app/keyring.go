package app

import (
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
)

const keyringVar = "DOCKER_CREDENTIAL_ACR_KEYRING"

// A KeyringChoice says where the key must be, and who wants that. The zero value leaves it
// to what the computer has.
type KeyringChoice struct {
	// Name is os, kernel, file or none.
	Name string
	// Source is who has chosen: a variable, the config file, or login --keyring.
	Source string
	// Demanded says that the choice is for this process alone, and that no other keyring is
	// even read.
	Demanded bool
}

// keySettings are those of every choice.
func (a *App) keySettings() keystore.Settings {
	return keystore.Settings{
		KeyFile: a.paths.keyFile, Getenv: a.Runner.Getenv, LockedMarker: a.paths.lockedMarker(), Now: a.Now,
	}
}

// Keyring returns the choice that counts. A variable, and the option of the library,
// goes before the config file, and that before what login --keyring has recorded.
func (a *App) Keyring() KeyringChoice {
	demanded, source := a.Library.Keyring, "WithKeyring"
	if demanded == "" {
		demanded, source = strings.TrimSpace(a.Runner.Getenv(keyringVar)), keyringVar
	}
	if demanded != "" && demanded != "auto" {
		return KeyringChoice{demanded, source, true}
	}
	if name := a.Config.Keyring(); name != "" && name != "auto" {
		return KeyringChoice{name, `"keyring" in the config file`, name == "none"}
	}
	if name := keystore.Chosen(a.paths.keyFile); name != "" {
		return KeyringChoice{name, "login --keyring", false}
	}
	return KeyringChoice{}
}

// openKeys opens the key store, unless the library hands it in.
func (a *App) openKeys() (err error) {
	if a.Keys = a.Library.Keys; a.Keys != nil {
		return nil
	}
	s := a.keySettings()
	if c := a.Keyring(); c.Demanded {
		s.Choice = c.Name
	} else {
		s.Follow = c.Name
	}
	a.Keys, err = keystore.Open(s)
	return err
}

// UseKeyring makes this process use one keyring, for RecordKeyring to make other processes
// use it as well. It fails where they would not, because a setting says otherwise.
func (a *App) UseKeyring(name string) error {
	if c := a.Keyring(); c.Name != "" && c.Name != name && c.Source != "login --keyring" {
		return fmt.Errorf("%s selects the keyring %q, so --keyring %s would have no effect", c.Source, c.Name, name)
	}
	s := a.keySettings()
	s.Choice = name
	keys, err := keystore.Open(s)
	if err != nil {
		return err
	}
	a.Keys, a.Vault.Keys = keys, keys
	return nil
}

// RecordKeyring records the user's choice of a keyring in the vault, which exists, for all
// sessions and environments.
func (a *App) RecordKeyring(name string) error {
	if err := keystore.Choose(a.paths.keyFile, name); err != nil {
		return fault.Because("can't record the choice of the keyring", fault.VaultNotUsed, err)
	}
	return nil
}

// KeyFile returns where the key file is, and when it was made; the zero time where there
// is none.
func (a *App) KeyFile() (path string, made time.Time) {
	return a.paths.keyFile, keystore.FileTime(a.paths.keyFile)
}

// ForeignHome returns HOME where it is another user's, so that nothing is stored there; ""
// where it isn't.
func (a *App) ForeignHome() string { return a.paths.foreignHome }
