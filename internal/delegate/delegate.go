// Package delegate hands other registries' logins to another credential helper, which the
// user had before this one.
package delegate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// LoopGuard is the variable that tells a delegate's children, this program among them,
// that a delegate is running: a delegate that runs this program must not be run by it
// again.
const LoopGuard = "DOCKER_CREDENTIAL_ACR_DELEGATED"

// prefix begins a credential helper's name. (docker/docker-credential-helpers, README:
// clients are configured with the rest.)
const prefix = "docker-credential-"

// defaultTimeout is how long a delegate may take: pass and gpg may ask the user for a
// passphrase meanwhile, and a whole get has 28 seconds.
const defaultTimeout = 25 * time.Second

// A Helper is the delegate.
type Helper struct {
	// Name is the name in the config file, without docker-credential-.
	Name string
	// Runner runs it.
	Runner subprocess.Runner
	// Executable returns the path of this program, which can't be its own delegate; nil
	// for unknown.
	Executable func() (string, error)

	timeout time.Duration // how long it may take; 0 for defaultTimeout
}

// Get asks for what the delegate has stored. Its not-found is that of
// docker-credential-helpers; docker-credential-pass says the same with an empty answer.
func (h *Helper) Get(ctx context.Context, server string) (user string, password secret.String, err error) {
	out, err := h.run(ctx, credentials.ActionGet, secret.New(server), secret.String{})
	if err != nil {
		return "", secret.String{}, err
	}
	var answer *credentials.Credentials
	if decode(out, &answer) != nil || answer == nil {
		return "", secret.String{}, h.malformed()
	}
	if answer.Username == "" && answer.Secret == "" {
		return "", secret.String{}, credentials.NewErrCredentialsNotFound()
	}
	return answer.Username, secret.New(answer.Secret), nil
}

// Store hands over a login, on the delegate's standard input.
func (h *Helper) Store(ctx context.Context, server, user string, password secret.String) error {
	request, _ := json.Marshal(credentials.Credentials{ServerURL: server, Username: user, Secret: password.Reveal()})
	_, err := h.run(ctx, credentials.ActionStore, secret.New(string(request)+"\n"), password)
	return err
}

// Erase deletes a login. If it doesn't exist, many helpers fail, each with an error of
// its own, so they are asked for it.
func (h *Helper) Erase(ctx context.Context, server string) error {
	_, err := h.run(ctx, credentials.ActionErase, secret.New(server), secret.String{})
	if err == nil || credentials.IsErrCredentialsNotFound(err) {
		return nil
	}
	if _, _, missing := h.Get(ctx, server); credentials.IsErrCredentialsNotFound(missing) {
		return nil
	}
	return err
}

// List returns the servers that the delegate has a login for, with their user names.
func (h *Helper) List(ctx context.Context) (map[string]string, error) {
	out, err := h.run(ctx, credentials.ActionList, secret.String{}, secret.String{})
	if err != nil {
		return nil, err
	}
	var users map[string]string
	if decode(out, &users) != nil {
		return nil, h.malformed()
	}
	return users, nil
}

// decode parses an answer as docker-credential-helpers' client does. Its errors may quote
// the answer.
func decode(out []byte, answer any) error {
	return json.NewDecoder(bytes.NewReader(out)).Decode(answer)
}

// Program returns the delegate's name on the PATH.
func (h *Helper) Program() string { return prefix + h.Name }

func (h *Helper) fail(code fault.Code, reason string) error {
	return &fault.Error{Code: code, Subject: h.Program(), Reason: reason}
}

func (h *Helper) malformed() error {
	return h.fail(fault.DelegateFailed, "returned an invalid response")
}

// run runs one action of the delegate. Its failure is reported without the secret that it
// got.
func (h *Helper) run(ctx context.Context, action string, stdin, handed secret.String) ([]byte, error) {
	path, err := h.Path()
	if err != nil {
		return nil, err
	}
	out, err := h.Runner.Run(ctx, subprocess.Command{
		Path: path, Args: []string{action}, Stdin: stdin,
		Inherits: subprocess.AllBut(subprocess.Secrets), Environ: []string{LoopGuard + "=1"},
		Timeout: cmp.Or(h.timeout, defaultTimeout),
	})
	exit, exited := errors.AsType[*subprocess.ExitError](err)
	stopped, _ := errors.AsType[*subprocess.Error](err)
	switch {
	case err == nil:
		return out, nil
	case exited && credentials.IsErrCredentialsNotFoundMessage(string(out)):
		return nil, credentials.NewErrCredentialsNotFound()
	case exited:
		said := cmp.Or(firstLine(string(out), handed), firstLine(exit.Stderr, handed), exit.Error())
		return nil, h.fail(fault.DelegateFailed, "failed: "+said)
	case stopped != nil && stopped.TimedOut:
		return nil, &fault.Error{
			Code: fault.DelegateTimeout, Subject: h.Program(), Reason: stopped.Reason, Cause: stopped.Cause,
		}
	}
	return nil, h.fail(fault.DelegateFailed, err.Error())
}

// Path returns where the delegate's program is. In the Windows Subsystem for Linux the
// helper of Docker Desktop is a Windows program.
func (h *Helper) Path() (string, error) {
	path := cmp.Or(h.Runner.Find(h.Program()), h.Runner.Find(h.Program()+".exe"))
	if path == "" {
		return "", h.fail(fault.DelegateMissing, "is not on the PATH")
	}
	if h.isItself(path) {
		return "", h.fail(fault.DelegateItself, "is this program")
	}
	return path, nil
}

// isItself recognizes this program under another name. Where that is impossible, the loop
// guard ends the loop.
func (h *Helper) isItself(path string) bool {
	if h.Executable == nil {
		return false
	}
	own, err := h.Executable()
	return err == nil && subprocess.SameFile(own, path)
}

// maxQuote is how much of a helper's words is shown.
const maxQuote = 200

// firstLine makes one short line of what a helper printed about its failure, without the
// secret that it got. A JSON object may be an answer with a secret.
func firstLine(said string, handed secret.String) string {
	switch n := len(handed.Reveal()); {
	case n >= 4:
		said = strings.ReplaceAll(said, handed.Reveal(), handed.String())
	case n > 0:
		return "" // in so short a text the gap would tell the secret
	}
	if strings.Contains(said, "{") {
		return ""
	}
	line := text.Line(strings.Join(strings.Fields(said), " "))
	if runes := []rune(line); len(runes) > maxQuote {
		return string(runes[:maxQuote]) + "…"
	}
	return line
}
