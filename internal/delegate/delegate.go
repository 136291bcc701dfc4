// Package delegate hands other registries' logins to another credential helper,
// which its user had before this one.
package delegate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
)

// Marker is the variable that tells a delegate's children, us among them, that
// somebody delegates already: a helper that runs us must not be run by us again.
const Marker = "DOCKER_CREDENTIAL_ACR_DELEGATED"

// Prefix is what the program's name begins with. (docker/docker-credential-helpers,
// README: the suffix of the program is what clients are configured with.)
const Prefix = "docker-credential-"

// Patience is how long a delegate may take: pass and gpg may ask a person for a
// passphrase meanwhile, and a whole get has 28 seconds.
const Patience = 25 * time.Second

// Codes of an Error.
const (
	CodeMissing = "delegate-missing"
	CodeItself  = "delegate-itself"
	CodeLate    = "delegate-late"
	CodeFailed  = "delegate-failed"
)

// An Error says what is wrong with the delegate, which it names.
type Error struct {
	// Program is the delegate's name on the PATH.
	Program string
	// Why continues it.
	Why string
	// Hint is one of the codes of this package.
	Hint string
}

func (e *Error) Error() string { return e.Program + " " + e.Why }

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// A Helper is the delegate.
type Helper struct {
	// Name is what stands in the config file, without Prefix.
	Name string
	// Runner runs it.
	Runner tool.Runner
	// Self is our own program's file, which is no delegate.
	Self func() (string, error)
	// Timeout is Patience, but for tests.
	Timeout time.Duration
}

// Get asks for what the delegate has stored. Its not-found is that of
// docker-credential-helpers; docker-credential-pass says the same by an empty
// answer.
func (h *Helper) Get(ctx context.Context, server string) (user string, pass secret.String, err error) {
	out, err := h.run(ctx, credentials.ActionGet, secret.New(server), secret.String{})
	if err != nil {
		return "", secret.String{}, err
	}
	var answer *credentials.Credentials
	if h.decode(out, &answer) != nil || answer == nil {
		return "", secret.String{}, h.garbled()
	}
	if answer.Username == "" && answer.Secret == "" {
		return "", secret.String{}, credentials.NewErrCredentialsNotFound()
	}
	return answer.Username, secret.New(answer.Secret), nil
}

// Store hands a login on, through the delegate's standard input.
func (h *Helper) Store(ctx context.Context, server, user string, pass secret.String) error {
	var request bytes.Buffer
	login := credentials.Credentials{ServerURL: server, Username: user, Secret: pass.Reveal()}
	if err := json.NewEncoder(&request).Encode(login); err != nil {
		return err
	}
	_, err := h.run(ctx, credentials.ActionStore, secret.New(request.String()), pass)
	return err
}

// Erase has the delegate forget a login. What isn't there is forgotten already:
// many helpers fail then, each in words of its own, so they are asked.
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

// List lists the servers that the delegate has a login for, with their user names.
func (h *Helper) List(ctx context.Context) (map[string]string, error) {
	out, err := h.run(ctx, credentials.ActionList, secret.String{}, secret.String{})
	if err != nil {
		return nil, err
	}
	var users map[string]string
	if h.decode(out, &users) != nil {
		return nil, h.garbled()
	}
	return users, nil
}

// decode reads an answer as docker-credential-helpers' client does. Its errors may
// quote the answer.
func (h *Helper) decode(out []byte, answer any) error {
	return json.NewDecoder(bytes.NewReader(out)).Decode(answer)
}

// Program is the delegate's name on the PATH.
func (h *Helper) Program() string { return Prefix + h.Name }

func (h *Helper) garbled() error {
	return &Error{h.Program(), "answered something that is not understood", CodeFailed}
}

// run runs one action of the delegate. What it says of a failure is told without the
// secret that it was handed.
func (h *Helper) run(ctx context.Context, action string, stdin, handed secret.String) ([]byte, error) {
	path, err := h.Path()
	if err != nil {
		return nil, err
	}
	out, err := h.Runner.Run(ctx, tool.Command{
		Path: path, Args: []string{action}, Stdin: stdin, Environ: []string{Marker + "=1"}, Timeout: cmp.Or(h.Timeout, Patience),
	})
	var exit *tool.ExitError
	var stopped *tool.Error
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &stopped) && stopped.Late:
		return nil, &Error{h.Program(), stopped.Why, CodeLate}
	case errors.As(err, &exit) && credentials.IsErrCredentialsNotFoundMessage(string(out)):
		return nil, credentials.NewErrCredentialsNotFound()
	case errors.As(err, &exit):
		return nil, &Error{h.Program(), "failed: " + cmp.Or(sentence(string(out), handed), sentence(exit.Stderr, handed), exit.Error()), CodeFailed}
	}
	return nil, &Error{h.Program(), err.Error(), CodeFailed}
}

// Path is where the delegate's program lies. In the Windows Subsystem for Linux the
// helper of Docker Desktop is a Windows program.
func (h *Helper) Path() (string, error) {
	path := cmp.Or(h.Runner.Find(h.Program()), h.Runner.Find(h.Program()+".exe"))
	if path == "" {
		return "", &Error{h.Program(), "is not on PATH", CodeMissing}
	}
	if h.isSelf(path) {
		return "", &Error{h.Program(), "is this very program", CodeItself}
	}
	return path, nil
}

// isSelf knows our own program under another name.
func (h *Helper) isSelf(path string) bool {
	own, err := h.Self()
	if err != nil {
		return false // the marker ends the loop
	}
	ours, err := os.Stat(own)
	if err != nil {
		return false
	}
	theirs, err := os.Stat(path)
	return err == nil && os.SameFile(ours, theirs)
}

// sentence makes one line of what a helper said of its failure, and no long one. A
// JSON object may be an answer, with a secret in it.
func sentence(said string, handed secret.String) string {
	const most = 200
	switch n := len(handed.Reveal()); {
	case n >= 4:
		said = strings.ReplaceAll(said, handed.Reveal(), handed.String())
	case n > 0:
		return "" // what is left out of a text would tell so short a one
	}
	if strings.Contains(said, "{") {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(said, "?"))
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
