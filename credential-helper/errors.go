package credhelper

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Errors to compare with errors.Is. Each stands for several values of Error.Code.
var (
	// ErrNotSignedIn means that no identity was selected for the registry. It is always a
	// *NotFoundError: public images can be pulled anyway.
	ErrNotSignedIn = errors.New("not signed in")
	// ErrSignInRequired means that a user has to sign in again, interactively: the session
	// has expired or was revoked, or multi-factor authentication is required.
	ErrSignInRequired = errors.New("a user has to sign in again")
	// ErrKeyringLocked means that a stored login can't be opened or stored until the OS
	// keyring is unlocked.
	ErrKeyringLocked = errors.New("the keyring is locked")
	// ErrUnavailable means that a server is throttling requests, is temporarily unavailable
	// or didn't answer, also because the context ended first. Try again later, after
	// Error.RetryAfter if that isn't 0.
	ErrUnavailable = errors.New("temporarily unavailable")
)

// sentinels says which codes each of the errors stands for.
var sentinels = map[error][]fault.Code{
	ErrNotSignedIn: {fault.NoIdentity},
	ErrSignInRequired: {
		fault.SignInAgain, fault.UserSignedOut, fault.ConfigAzureCLI, fault.AzureCLISignedOut, fault.AzdSignedOut,
		fault.PowerShellSignedOut,
		// Multi-factor authentication.
		fault.AADSTS(50072), fault.AADSTS(50074), fault.AADSTS(50076), fault.AADSTS(50079),
		// Revoked or expired.
		fault.AADSTS(50132), fault.AADSTS(50133), fault.AADSTS(50173), fault.AADSTS(70043), fault.AADSTS(700082),
		// Consent.
		fault.AADSTS(65001),
	},
	ErrKeyringLocked: {fault.KeyringLocked, fault.KeychainLocked},
	ErrUnavailable: {
		fault.Timeout, fault.Broken, fault.Unreachable, fault.ProxyFailed, fault.Busy, fault.LoginChanged,
		fault.EntraThrottled, fault.EntraUnavailable, fault.EndpointThrottled, fault.EndpointUnavailable,
		fault.RegistryThrottled, fault.RegistryUnavailable, fault.IssuerUnavailable,
		fault.AADSTS(50033), fault.AADSTS(50196), fault.AADSTS(90024), fault.AADSTS(90033), fault.AADSTS(90055),
	},
}

// An Error is a failure that a user or an administrator can do something about.
type Error struct {
	// Registry is the login server, or another registry's name; "" where the failure is not
	// about one registry, or the name is invalid.
	Registry string
	// Identity names the selected identity; "" if none was selected.
	Identity string
	// Source says where the choice came from: a variable, a config file, a stored login, an
	// option. Where no identity could be selected, it is what is wrong, or "".
	Source string
	// Code tells failures apart, also in future versions. docs/codes.md lists the values;
	// AADSTS numbers that are not listed there are codes, too. It is "failed" where there is
	// no other.
	Code string
	// RetryAfter is how long a server asks to wait before the next try; 0 if it didn't say.
	RetryAfter time.Duration
	// Err is what went wrong.
	Err error

	hint string
}

// Error returns one sentence in lower case, which names the registry.
func (e *Error) Error() string {
	if e.Registry == "" {
		return e.Err.Error()
	}
	return text.Line(e.Registry) + ": " + e.Err.Error()
}

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the Err… variable of this package for the error's code.
func (e *Error) Is(target error) bool {
	return slices.ContainsFunc(codesOf(target), func(c fault.Code) bool {
		return e.Code == string(c) || fault.Has(e.Err, c)
	})
}

// codesOf returns the codes that an error of the table stands for; nil for other errors,
// which may be of types that can't be keys of a map.
func codesOf(target error) []fault.Code {
	for sentinel, codes := range sentinels {
		if target == sentinel {
			return codes
		}
	}
	return nil
}

// Hint returns what to do about the failure: one sentence for a user at a terminal,
// without a full stop, such as a command to run or a role to ask for. It is "" where
// nothing is known. The text may change; decide on Code.
func (e *Error) Hint() string { return e.hint }

// A NotFoundError says that there is no credential for a server, so that the client goes
// on to its next source of credentials, or anonymously. Clients recognize it by its exact
// text; so does credentials.IsErrCredentialsNotFound.
type NotFoundError struct {
	// Registry is set for an Azure container registry.
	Registry string
	// Why is worth telling the user; "" where nothing is wrong.
	Why string
	// Code is "no-identity" for an Azure container registry that no identity was selected
	// for, and "" where nothing is wrong: another registry, or anonymous access is wanted.
	Code string

	hint string
}

// Error returns the text that clients compare.
func (e *NotFoundError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error of docker-credential-helpers.
func (e *NotFoundError) Unwrap() error { return credentials.NewErrCredentialsNotFound() }

// Is reports whether target is ErrNotSignedIn, and that is the reason.
func (e *NotFoundError) Is(target error) bool {
	return slices.Contains(codesOf(target), fault.Code(e.Code))
}

// Hint returns how to sign in, for a user at a terminal; "" where nothing is wrong.
func (e *NotFoundError) Hint() string { return e.hint }

// A cause is what went wrong, fit for a terminal: it may name files, variables and servers.
// It adds the end of the caller's context (nil for none) to the causes, which gets lost
// where a library sends the requests.
type cause struct{ err, ctxErr error }

func (c cause) Error() string { return text.Line(c.err.Error()) }

func (c cause) Unwrap() []error { return []error{c.err, c.ctxErr} }

// public returns an error of this package for one of the program's; nil for nil.
func public(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if missing, ok := errors.AsType[*app.NotFoundError](err); ok {
		e := &NotFoundError{Registry: missing.Registry, Why: text.Line(missing.Reason), hint: text.Line(app.Advice(err))}
		if e.Registry != "" && e.Why != "" {
			e.Code = string(fault.NoIdentity)
		}
		return e
	}
	failed, ok := errors.AsType[*app.Error](err)
	if !ok {
		failed = &app.Error{Err: err}
	}
	e := &Error{
		Registry: failed.Registry, Source: text.Line(failed.Identity.Source.String()),
		Code: string(cmp.Or(fault.CodeOf(err), fault.Failed)), RetryAfter: fault.RetryAfter(err),
		Err: cause{failed.Err, ctx.Err()}, hint: text.Line(app.Advice(failed)),
	}
	if !failed.Identity.IsAnonymous() {
		e.Identity = text.Line(failed.Identity.String())
	}
	return e
}
