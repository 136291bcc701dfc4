package app

import (
	"cmp"
	"errors"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// An Error is a failure that a user can do something about.
type Error struct {
	// Registry is the login server, or what else the failure is about.
	Registry string
	// Identity is the one that was selected; where selecting it failed, only its Source is
	// set.
	Identity identity.Identity
	// Err is what went wrong.
	Err error
}

func (e *Error) Error() string { return e.Registry + ": " + e.Err.Error() }

// Unwrap returns what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// A NotFoundError says that there is no credential for a server, so that the client goes
// on to its next source of credentials, or anonymously. Clients recognize it by its exact
// text.
type NotFoundError struct {
	// Registry is set for an Azure container registry.
	Registry string
	// Reason is worth telling the user; "" where nothing is wrong. Cause is an error behind
	// it that decides on the advice; nil for none.
	Reason string
	Cause  error
}

func (e *NotFoundError) Error() string { return e.Unwrap().Error() }

// Unwrap returns the error of docker-credential-helpers.
func (e *NotFoundError) Unwrap() error { return credentials.NewErrCredentialsNotFound() }

// notSignedIn is the error where no identity was selected, because of an error (nil for
// none), and the stored token can't be used.
func notSignedIn(host registry.Host, because, noToken error) error {
	e := &NotFoundError{Registry: host.String(), Reason: "not signed in", Cause: because}
	switch {
	case !errors.Is(noToken, vault.ErrNoToken):
		e.Reason, e.Cause = "not signed in ("+noToken.Error()+")", noToken
	case because != nil:
		e.Reason += " (" + because.Error() + ")"
	}
	return e
}

// Message is the line for the user: what went wrong, and what to do about it; "" where
// nothing is wrong.
func Message(err error) string {
	sentence := err.Error()
	if missing, ok := errors.AsType[*NotFoundError](err); ok {
		sentence = missing.Reason
		if missing.Registry != "" && missing.Reason != "" {
			sentence = missing.Registry + ": " + missing.Reason
		}
	}
	if advice := Advice(err); advice != "" {
		sentence += ". " + advice
	}
	return sentence
}

// Quotable is the line that clients quote, where they show nothing else: what went wrong,
// with the advice if that is one command. Not found is what clients compare.
func Quotable(err error) string {
	line := err.Error()
	if _, ok := errors.AsType[*NotFoundError](err); ok {
		return line
	}
	command, ok := strings.CutPrefix(Advice(err), "Run: ")
	command, _, _ = strings.Cut(command, " (or ")
	const longest = 120
	if !ok || strings.ContainsAny(command, "()") || strings.Contains(command, ". ") || len(command) > longest {
		return line
	}
	return line + "; run: " + command
}

// Advice returns what to do about an error; "" where nothing is known.
func Advice(err error) string {
	if missing, ok := errors.AsType[*NotFoundError](err); ok {
		if missing.Registry == "" || missing.Reason == "" {
			return ""
		}
		c := fault.Context{Registry: text.Quote(missing.Registry)}
		return cmp.Or(c.Advice(missing.Cause), c.Advice(&fault.Error{Code: fault.NoIdentity}))
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	id := e.Identity
	c := fault.Context{
		Registry: text.Quote(e.Registry), ClientID: id.ClientID, Tenant: id.Tenant, Situation: situation(id),
		Terraform: id.Source.Terraform,
	}
	if id.Source.Kind == identity.FromLogin && id.Source.IsPattern() {
		c.Login = text.Quote(id.Source.Pattern)
	}
	if errors.Is(e.Err, vault.ErrPattern) {
		c.Login = "PATTERN"
	}
	return c.Advice(e.Err)
}

func situation(id identity.Identity) fault.Situation {
	switch {
	case id.Kind == identity.AzureCLI:
		return fault.FromAzureCLI
	case id.Kind == identity.AzureDeveloperCLI:
		return fault.FromAzd
	case id.Kind == identity.AzurePowerShell:
		return fault.FromPowerShell
	case id.Source.Kind == identity.FromCommandLine && id.Kind != identity.ManagedIdentity: // whose tenant isn't chosen
		return fault.FromCommandLine
	case id.Source.Kind == identity.FromAzureJSON:
		return fault.FromAzureJSON
	case id.Source.Kind == identity.FromServiceAccount:
		return fault.FromPod
	case id.Kind == identity.RegistryUser:
		return fault.FromRegistryUser
	case id.Source.Kind == identity.FromConfig:
		return fault.FromConfig
	case id.Source.Kind == identity.FromLogin:
		return fault.FromLogin
	}
	return ""
}

// Misconfigured is the error of a get where a variable of the program itself is wrong
// (see Open), which doesn't concern other registries.
func Misconfigured(server string, err error) error {
	host, notACR := registry.ParseHost(server)
	if notACR != nil {
		return &NotFoundError{Reason: err.Error()}
	}
	return &Error{Registry: host.String(), Err: err}
}
