// Package hint says what to do about a failure. Advice lives here and nowhere else:
// packages below only give their failures a code.
package hint

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/delegate"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keyring"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// Typed is the Source of what was typed to the login command.
const Typed = "the command line"

// Advice is the line for people: what went wrong, and what to do about it. ""
// where nothing is wrong.
func Advice(err error) string {
	var missing *credhelper.NotFoundError
	if errors.As(err, &missing) {
		switch {
		case missing.Why == "":
			return ""
		case missing.Registry == "":
			return missing.Why
		}
		return fmt.Sprintf("%s: %s; hint: run: docker-credential-acr login %[1]s, or az login; for anonymous pull there is nothing to do",
			missing.Registry, missing.Why)
	}
	var failed *credhelper.Error
	if !errors.As(err, &failed) {
		return err.Error()
	}
	if hint := hintFor(failed); hint != "" {
		return err.Error() + "; hint: " + hint
	}
	return err.Error()
}

// For is what to do about a failure, "" for nothing known.
func For(err error) string {
	if failed := new(credhelper.Error); errors.As(err, &failed) {
		return hintFor(failed)
	}
	return ""
}

// hintFor looks up what to do about a failure. In the tables' texts REGISTRY stands
// for the login server, LOGIN for it or the pattern of the login in use, CLIENT-ID
// for the application's id, DELEGATE for the program that other registries' logins are
// handed to.
func hintFor(failed *credhelper.Error) string {
	if errors.Is(failed, vault.ErrBusy) {
		return "try again"
	}
	locked := errors.Is(failed, keyring.ErrLocked)
	switch {
	case errors.Is(failed, vault.ErrNoHome) && locked:
		return "run: docker-credential-acr unlock, and try again; or set DOCKER_CREDENTIAL_ACR_KEYRING=file for good, for a key in a file of mode 0600"
	case errors.Is(failed, vault.ErrNoHome):
		return "say with DOCKER_CREDENTIAL_ACR_KEYRING which home the key shall have (file: a file of mode 0600); what holds no secret can stand in the config file"
	}
	code := failure.Code(failed)
	if code == "" {
		return ""
	}
	hint := cmp.Or(hintBySource(failed)[code], hints[code], traced)
	if code == vault.CodeSealed && locked {
		hint = unlock
	}
	client := failed.Identity[strings.LastIndex(failed.Identity, " ")+1:]
	host := Quoted(failed.Registry)
	login := host
	if pattern, ok := strings.CutPrefix(failed.Source, identity.PatternLogin); ok {
		login = Quoted(pattern)
	}
	if closed := new(vault.LoginError); errors.As(failed, &closed) && closed.Server == vault.SomePattern {
		login = vault.SomePattern
	}
	if strings.HasPrefix(failed.Source, "ARM_") {
		hint = strings.ReplaceAll(hint, "AZURE_", "ARM_")
	}
	other := new(delegate.Error)
	_ = errors.As(failed, &other)
	return strings.NewReplacer("DELEGATE", other.Program, "REGISTRY", host, "LOGIN", login, "CLIENT-ID", client).Replace(hint)
}

// hintBySource is the table of hints that differ by where the identity came
// from.
func hintBySource(failed *credhelper.Error) map[string]string {
	switch {
	case failed.Source == Typed:
		return loginHints
	case strings.HasPrefix(failed.Identity, "Azure CLI's "):
		return azHints
	case strings.HasPrefix(failed.Identity, "Azure Developer CLI's "):
		return azdHints
	case strings.HasPrefix(failed.Identity, "Azure PowerShell's "):
		return powerShellHints
	case strings.HasPrefix(failed.Source, "config file "):
		return configHints
	case failed.Source == identity.StoredLogin, strings.HasPrefix(failed.Source, identity.PatternLogin):
		return storedHints
	}
	return nil
}

// Quoted is a registry or pattern as a shell takes it. Other registries' names are
// what their clients made of them.
func Quoted(name string) string {
	if name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
