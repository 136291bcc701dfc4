// Package mistype marks what can't be meant as it was typed, which ends with an exit
// status of its own.
package mistype

import (
	"errors"
	"fmt"
)

// An Error is a command that can't be meant as it was typed.
type Error struct{ why error }

// Errorf is fmt.Errorf for a mistype.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

func (e Error) Error() string { return e.why.Error() }

// Unwrap returns what is wrong.
func (e Error) Unwrap() error { return e.why }

// Is says whether an error is a mistype.
func Is(err error) bool { return errors.As(err, new(Error)) }
