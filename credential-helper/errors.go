package credhelper

import (
	"github.com/docker/docker-credential-helpers/credentials"
)

// An Error is a failure that its user can do something about: it names the
// registry and who the helper tried to be. Its causes are behind Unwrap.
type Error struct {
	// Registry is the login server.
	Registry string
	// Identity says who was chosen, "" if it did not come to that.
	Identity string
	// Source says where the choice came from. Where it could not be made, that is the
	// login or entry of the config file at fault, or "".
	Source string
	// Err is what went wrong.
	Err error
}

func (e *Error) Error() string { return e.Registry + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// A NotFoundError says that the helper has nothing for a server, so that the
// client goes on to its next source of credentials, or anonymously. Clients know
// it by its exact text; credentials.IsErrCredentialsNotFound knows it too.
type NotFoundError struct {
	// Registry is set where an Azure registry was meant.
	Registry string
	// Why is worth telling its user; empty where nothing is wrong.
	Why string
}

func (e *NotFoundError) Error() string { return e.Unwrap().Error() }

func (e *NotFoundError) Unwrap() error { return credentials.NewErrCredentialsNotFound() }
