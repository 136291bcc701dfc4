package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/docker/docker-credential-helpers/credentials"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// serve answers a client. The answer is complete before any of it is written, so that an
// error is never the second half of an answer. After an interrupt nothing is written: no
// client waits for it any more.
func serve(ctx context.Context, env app.Env, action string) int {
	var out bytes.Buffer
	var h helper
	request, err := readRequest(env, action)
	if err == nil {
		defer endInTime(env, action, request)()
		h.ctx = ctx
		h.app, h.openErr = app.Open(env)
		err = credentials.HandleCommand(h, action, bytes.NewReader(request), &out)
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case errors.Is(err, errNeverStored):
		return 0
	case err != nil:
		return fail(env, h.app, err)
	}
	if action == credentials.ActionGet && env.StdoutIsTerminal {
		out = mask(env, out)
	}
	if _, err := env.Stdout.Write(text.JSON(out.Bytes())); err != nil {
		return fail(env, h.app, fmt.Errorf("can't write the response: %w", err))
	}
	return 0
}

// serveTimeout is the promise to clients. Operations end themselves a little earlier.
const serveTimeout = 30 * time.Second

// endInTime ends the program at that time, whatever hangs, unless stop was called.
func endInTime(env app.Env, action string, request []byte) (stop func()) {
	if env.Exit == nil {
		return func() {}
	}
	err := fmt.Errorf("%s did not end within %v", action, serveTimeout)
	if action == credentials.ActionGet {
		err = &app.Error{Registry: string(request), Err: err}
	}
	timer := time.AfterFunc(serveTimeout, func() { env.Exit(fail(env, nil, err)) })
	return func() { timer.Stop() }
}

// mask hides the secret of a get from a terminal, where a user has typed it: clients use a
// pipe.
func mask(env app.Env, out bytes.Buffer) (masked bytes.Buffer) {
	var c credentials.Credentials
	_ = json.Unmarshal(out.Bytes(), &c) // it was encoded a moment ago
	c.Secret = "********"
	_ = json.NewEncoder(&masked).Encode(c)
	how := fmt.Sprintf("run: echo %s | %s get | cat", text.Quote(text.Line(c.ServerURL)), program)
	if c.Username == registry.NullGUID {
		how = fmt.Sprintf("run: %s token %s --force", program, text.Quote(text.Line(c.ServerURL)))
	}
	fmt.Fprintf(env.Stderr, "%s: the secret is not shown on a terminal. To print it, %s\n", program, how)
	return masked
}

// fail reports an error twice, because no client shows both: on standard output for Docker
// 29, Compose, Podman and crane; with all advice on standard error for older Docker and for
// docker login, where builds that ask several times would repeat it. Not found is not a
// failure to a client, which compares the sentence, so standard output has nothing but that.
func fail(env app.Env, a *app.App, err error) int {
	fmt.Fprintln(env.Stdout, text.Line(app.Quotable(err)))
	line := text.Line(app.Message(err))
	if line != "" && (a == nil || env.StdoutIsTerminal || !a.WasTold(line)) {
		fmt.Fprintf(env.Stderr, "%s: %s\n", program, line)
	}
	return exitFailed
}

// helper adapts an App to docker-credential-helpers, whose methods take no context. Where
// a variable of the program is wrong there is no App, and each action decides what that
// means.
type helper struct {
	ctx     context.Context
	app     *app.App
	openErr error // why there is no App
}

// Get implements credentials.Helper.
func (h helper) Get(server string) (user, password string, err error) {
	if h.openErr != nil {
		return "", "", app.Misconfigured(server, h.openErr)
	}
	c, err := h.app.Get(h.ctx, server, false)
	return c.User, c.Secret.Reveal(), err
}

// Add implements credentials.Helper.
func (h helper) Add(c *credentials.Credentials) error {
	switch {
	case h.openErr != nil:
		return &app.Error{Registry: c.ServerURL, Err: h.openErr}
	case h.app.FromEnvironment:
		return errStoresNothing
	}
	return h.app.Store(h.ctx, c.ServerURL, c.Username, secret.New(c.Secret))
}

// Delete implements credentials.Helper.
func (h helper) Delete(server string) error {
	switch {
	case h.openErr != nil:
		return h.openErr
	case h.app.FromEnvironment:
		return errStoresNothing
	}
	return h.app.Erase(h.ctx, server)
}

// List implements credentials.Helper.
func (h helper) List() (map[string]string, error) {
	switch {
	case h.openErr != nil:
		return nil, h.openErr
	case h.app.FromEnvironment:
		return map[string]string{}, nil
	}
	return h.app.List(h.ctx)
}

// errStoresNothing is what store and erase end with under the name of the helper that
// fails there, too.
var errStoresNothing = errors.New(environmentProgram + " takes identities from the environment, and stores nothing")

// errNeverStored is readRequest's error for an erase that has nothing to delete.
var errNeverStored = errors.New("no login is stored under a name with a line break")

// maxRequest is the longest line that docker-credential-helpers reads.
const maxRequest = 64<<10 - 1

// requests says what an action reads from standard input; list reads nothing.
var requests = map[string]string{
	credentials.ActionGet:   "the registry, for example contoso.azurecr.io",
	credentials.ActionErase: "the registry, for example contoso.azurecr.io",
	credentials.ActionStore: `{"ServerURL":"contoso.azurecr.io","Username":"…","Secret":"…"}`,
}

// readRequest reads what the action needs from standard input, from a terminal one line,
// and refuses what docker-credential-helpers would change: it joins lines and trims, so
// that "evil\n.azurecr.io" would arrive as a registry.
func readRequest(env app.Env, action string) ([]byte, error) {
	if requests[action] == "" {
		return nil, nil
	}
	in := io.LimitReader(env.Stdin, maxRequest+1)
	var line []byte
	var err error
	if env.StdinIsTerminal {
		fmt.Fprintf(env.Stderr, "%s: enter %s\n", program, requests[action])
		if line, err = bufio.NewReader(in).ReadBytes('\n'); err == io.EOF {
			err = nil
		}
	} else {
		line, err = io.ReadAll(in)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("can't read standard input: %w", err)
	case len(line) > maxRequest:
		return nil, fmt.Errorf("standard input has more than %d bytes", maxRequest)
	}
	line = safefile.TrimBOM(line) // PowerShell's pipes may begin with one
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	switch hasBreak := bytes.ContainsAny(line, "\r\n\x00"); {
	case action == credentials.ActionStore && !json.Valid(line):
		return nil, errors.New("standard input is not the JSON object that docker login writes")
	case action == credentials.ActionStore && !utf8.Valid(line): // which decoding would silently change
		return nil, errors.New("standard input is not UTF-8")
	case action == credentials.ActionErase && hasBreak:
		return nil, errNeverStored
	case action == credentials.ActionGet && hasBreak:
		return nil, &app.NotFoundError{Reason: "the registry's name has a line break or a NUL"}
	}
	return line, nil
}
