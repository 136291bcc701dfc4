// Package cli is what Docker runs and people type.
package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/docker/docker-credential-helpers/credentials"
	"golang.org/x/term"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
)

const program = desk.Program

// A World is everything that the program touches outside itself.
type World struct {
	// Stdin is the client's request; Terminal says that a person types it.
	Stdin    io.Reader
	Terminal bool
	// Password reads a line from the terminal without showing it; Restore has the
	// terminal show again what is typed, should Password be cut short. Restore goes
	// with Exit.
	Password func() ([]byte, error)
	Restore  func()
	// Stdout is read by the client, Stderr by people.
	Stdout, Stderr io.Writer
	// ToTerminal says that a person sees Stdout.
	ToTerminal bool
	// Environ holds the variables, as os.Environ does.
	Environ []string
	// Transport carries requests to Microsoft Entra and to registries.
	Transport http.RoundTripper
	// OnAzureVM says whether this machine is one of Azure's; nil means that it isn't.
	OnAzureVM func() bool
	// Resolve asks DNS for the addresses of a host; nil where there is none to ask.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Executable is the path of this program; nil for not known.
	Executable func() (string, error)
	// Now is the clock.
	Now func() time.Time
	// Exit ends the program; nil where Run's caller sees to it.
	Exit func(status int)
}

// Run does what the arguments say and returns the exit status: 0, 1 for a failure,
// or 2 for what can't be meant as it was typed. (What clients run keeps to the
// contract of docker-credential-helpers, credentials.Serve, down to usage on
// standard output.)
func Run(ctx context.Context, w World, args []string) int {
	defer context.AfterFunc(ctx, w.interrupted)()
	if len(args) == 0 {
		fmt.Fprint(w.Stdout, usage)
		return 1
	}
	action := args[0]
	switch {
	case slices.Contains(protocol, action) && len(args) == 1:
		return w.serve(ctx, action)
	case action == "--help", action == "-h":
		fmt.Fprint(w.Stdout, usage)
		return 0
	case action == "--version", action == "-v", action == credentials.ActionVersion && len(args) == 1:
		fmt.Fprintf(w.Stdout, "%s (%s) %s\n", program, "github.com/docker-credential-acr/docker-credential-acr", version())
		return 0
	}
	return w.command(ctx, args)
}

// protocol lists what clients run, which must start fast.
var protocol = []string{credentials.ActionGet, credentials.ActionStore, credentials.ActionErase, credentials.ActionList}

// serve answers a client.
func (w World) serve(ctx context.Context, action string) int {
	in, err := w.request(action)
	if err != nil {
		return w.fail(err)
	}
	var out bytes.Buffer
	err = credentials.HandleCommand(w.helper(ctx), action, in, &out)
	switch {
	case ctx.Err() != nil:
		return interruptedStatus // whoever interrupted it knows why
	case err != nil:
		return w.fail(err)
	}
	if _, err := w.Stdout.Write(out.Bytes()); err != nil {
		return w.fail(fmt.Errorf("writing the answer: %w", err))
	}
	return 0
}

// Interruptible returns a context that ends with a signal which asks the program
// to end. What its parent has it ignore (nohup does SIGHUP) stays ignored.
func Interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	wanted := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGHUP}, signal.Ignored)
	return signal.NotifyContext(ctx, append(wanted, syscall.SIGTERM)...)
}

// Terminal says whether a person types what f reads, how to read a line from there
// that isn't shown, and how to leave the terminal as it is now.
func Terminal(f *os.File) (terminal bool, password func() ([]byte, error), restore func()) {
	fd := int(f.Fd())
	restore = func() {}
	if before, err := term.GetState(fd); err == nil {
		restore = func() { _ = term.Restore(fd, before) }
	}
	return term.IsTerminal(fd), func() ([]byte, error) { return term.ReadPassword(fd) }, restore
}

// interruptedStatus is 128 and the number of SIGINT, by custom of shells.
const interruptedStatus = 130

// interrupted ends the program although it may be waiting for its input. A
// running az gets a moment to end first: it is no longer of the terminal's
// process group, and would go on by itself.
func (w World) interrupted() {
	if w.Exit != nil {
		time.Sleep(100 * time.Millisecond)
		w.Restore()
		if w.Terminal {
			fmt.Fprintln(w.Stderr) // behind the question that nobody answers any more
		}
		w.Exit(interruptedStatus)
	}
}

// version is set at link time, or that of the module.
func version() string {
	if credentials.Version != "" {
		return credentials.Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (w World) helper(ctx context.Context) cancelable {
	h := credhelper.New(
		credhelper.WithEnvironment(w.Environ),
		credhelper.WithTransport(w.Transport),
		credhelper.WithClock(w.Now),
		credhelper.WithLogger(w.logger()),
		credhelper.WithFirmware(w.OnAzureVM),
	)
	return cancelable{h, ctx}
}

// cancelable hands a context to Get, which docker-credential-helpers can't.
type cancelable struct {
	*credhelper.Helper
	ctx context.Context
}

func (c cancelable) Get(server string) (user, pass string, err error) {
	return c.GetContext(c.ctx, server)
}

// fail tells an error twice, because no client shows both: the sentence on
// standard output for Docker 29, Compose, Podman and crane; the sentence with
// its hint on standard error for older Docker and for docker login. Not found
// is no failure to the client, so its sentence stands alone and exact.
func (w World) fail(err error) int {
	fmt.Fprintln(w.Stdout, oneLine(err.Error()))
	if line := hint.Advice(err); line != "" {
		fmt.Fprintf(w.Stderr, "%s: %s\n", program, oneLine(line))
	}
	return 1
}

// oneLine keeps a message to its line, whatever a path or name in it holds.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}
