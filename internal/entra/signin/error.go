package signin

import (
	"context"
	"errors"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
)

// An Error says why nobody is signed in, where it isn't Entra that refuses.
type Error struct {
	// Hint is one of the codes below.
	Hint string
	// Why takes the place of the code's own sentence.
	Why string
	// Cause is the context's error, where that ended the wait.
	Cause error
}

// Codes of errors.
const (
	CodeAgain       = "signin-again"       // nothing is remembered to renew from
	CodeDenied      = "signin-denied"      // the person went back, or consented to nothing
	CodeTimeout     = "signin-timeout"     // nobody came in time
	CodeInterrupted = "signin-interrupted" // Ctrl-C
	CodeListen      = "signin-listen"      // there is no port for the browser to come back to
	CodeCode        = "signin-code"        // Entra doesn't know the device code
)

var sentences = map[string]string{
	CodeAgain:       "nothing is left of the last sign-in",
	CodeDenied:      "the sign-in was declined",
	CodeTimeout:     "nobody signed in in time",
	CodeInterrupted: "the sign-in was interrupted",
	CodeListen:      "there is no port on this machine for the browser to come back to",
	CodeCode:        "Microsoft Entra does not know the device code any more",
}

func (e *Error) Error() string {
	if e.Why != "" {
		return e.Why
	}
	return sentences[e.Hint]
}

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// Unwrap lets callers tell an interruption.
func (e *Error) Unwrap() error { return e.Cause }

// gaveUp is the error for a wait that its context ended.
func gaveUp(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &Error{Hint: CodeTimeout, Cause: ctx.Err()}
	}
	return &Error{Hint: CodeInterrupted, Cause: ctx.Err()}
}

// refusal is the error for what the authorization endpoint sends back in place
// of a code (RFC 6749 §4.1.2.1). Only its codes are taken over: the text went
// through the browser, where anybody could have written it. AADSTS65004 is Entra's
// number for a person who declines.
func refusal(name, description string) error {
	refused := authority.Refused(name, description)
	if refused.OAuth == "access_denied" && (refused.AADSTS == 0 || refused.AADSTS == 65004) {
		return &Error{Hint: CodeDenied}
	}
	return refused
}
