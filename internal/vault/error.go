package vault

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// SomePattern stands for the server of a pattern's login that can't be read.
const SomePattern = "PATTERN"

// Codes of a LoginError, for hints.
const (
	CodeSealed    = "login-sealed"    // its keyring is locked or doesn't answer
	CodeElsewhere = "login-elsewhere" // its keyring isn't among those in use
	CodeKeyGone   = "login-key-gone"  // its keyring no longer holds the key
	CodeNewer     = "login-newer"     // a newer version of the program wrote it
	CodeDamaged   = "login-damaged"   // its file isn't what was written
	CodeVault     = "login-vault"     // the whole vault could be somebody else's work
	CodeChanged   = "login-changed"   // it was stored anew just now
	CodeKeyStays  = "key-stays"       // all is forgotten, but a key can't be destroyed
)

// A LoginError says why a stored login can't be used, or a token that nobody can
// renew. Nothing is deleted: the same login opens again when its key is back.
type LoginError struct {
	Server string
	Why    error
	// Token says that it is a token, and the error an ErrSealed.
	Token bool
}

// Is knows ErrSealed.
func (e *LoginError) Is(target error) bool { return e.Token && target == ErrSealed }

func (e *LoginError) Error() string {
	if e.Token {
		return fmt.Sprintf("opening the kept token: %v", e.Why)
	}
	if e.Server == SomePattern {
		return fmt.Sprintf("opening a login that was stored for a pattern: %v", e.Why)
	}
	return fmt.Sprintf("opening the stored login: %v", e.Why)
}

func (e *LoginError) Unwrap() error { return e.Why }

// Code is what the hint is looked up by.
func (e *LoginError) Code() string {
	switch {
	case errors.Is(e.Why, sealed.ErrNewer):
		return CodeNewer
	case errors.Is(e.Why, sealed.ErrDamaged):
		return CodeDamaged
	case errors.Is(e.Why, errUntrusted):
		return CodeVault
	case errors.Is(e.Why, ErrChanged):
		return CodeChanged
	case errors.Is(e.Why, errElsewhere):
		return CodeElsewhere
	case errors.Is(e.Why, fs.ErrNotExist), errors.Is(e.Why, errOtherKey):
		return CodeKeyGone
	}
	return CodeSealed
}

// Why a key can't be had, or a vault not used.
var (
	errElsewhere = errors.New("can't be reached from here")
	errOtherKey  = errors.New("holds another key by now")
	errUntrusted = errors.New("is not used")
)

// ErrChanged says that a login was stored anew, or erased, since Login found it.
var ErrChanged = errors.New("the stored login has just changed")
