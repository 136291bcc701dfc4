package devtool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
)

// An Error says why a developer tool had no token for us. What the tool
// itself printed stays out of it.
type Error struct {
	// Why continues a sentence.
	Why string
	// Hint is one of the codes of this package.
	Hint string
}

func (e *Error) Error() string { return e.Why }

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// CodeToolArgument is for what can't be passed on to any tool, because it could
// mean more to it than a name.
const CodeToolArgument = "tool-argument"

// A program is a tool with the codes of its failures.
type program struct {
	// product is how its users know it.
	product string
	// names are what it may be called on the PATH, the best first.
	names   []string
	timeout time.Duration
	// login is the command that it recommends to whoever isn't signed in.
	login string

	missing, signedOut, late, failed string
}

// check refuses what is more than a name: it would stand on a command line that
// cmd.exe reads, or in a script.
func (p program) check(id identity.Identity) error {
	host, isHTTPS := strings.CutPrefix(id.Audience, "https://")
	switch {
	case !isHTTPS || !plain(host):
		return &Error{"the audience can't be passed on to " + p.product, CodeToolArgument}
	case id.AskTenant && !plain(id.Tenant):
		return &Error{"the tenant can't be passed on to " + p.product, CodeToolArgument}
	case id.Subscription != "" && !identity.IsGUID(id.Subscription):
		return &Error{"the subscription can't be passed on to " + p.product, CodeToolArgument}
	}
	return nil
}

// plain accepts GUIDs and domains, and nothing that could be an option.
func plain(s string) bool {
	const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && strings.Trim(s, alphanumeric+".-") == "" && strings.Trim(s, ".-") == s
}

// explain reads what a tool complained of: a number of Entra's, or its own
// advice to whoever isn't signed in. The number goes first, because tools give
// the same advice then.
func (p program) explain(err error) error {
	var failed *tool.ExitError
	if !errors.As(err, &failed) {
		return err
	}
	if number := authority.FindAADSTS(failed.Stderr); number != 0 {
		return &authority.Error{AADSTS: number}
	}
	if strings.Contains(failed.Stderr, p.login) {
		return &Error{p.product + " is not signed in", p.signedOut}
	}
	return &Error{fmt.Sprintf("%s ended with exit status %d", p.product, failed.Status), p.failed}
}

// accept makes a token of what a tool answered.
func (t Tools) accept(p program, value string, expires time.Time) (secret.Token, error) {
	if !expires.After(t.Now()) {
		return secret.Token{}, &Error{p.product + " answered with an expired token", p.failed}
	}
	return secret.Token{Value: secret.New(value), Issued: t.Now(), Expires: expires}, nil
}

// garbled is for an answer of another form than agreed.
func (p program) garbled() error { return &Error{p.product + "'s answer is not understood", p.failed} }
