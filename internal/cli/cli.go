// Package cli is the program: what clients run, and the commands that users type.
package cli

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docker/docker-credential-helpers/credentials"
	"golang.org/x/term"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Names that the program prints about itself.
const (
	program = cmdutil.Program
	// environmentProgram is the name of another helper for the same registries, which many
	// configurations have. Called by it, this program behaves as that one does.
	environmentProgram = program + "-env"

	module = cmdutil.Module
)

// Exit statuses other than 0.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130 // 128 and the number of SIGINT, as shells do
)

// protocol lists what clients run. That must start fast, because a build asks several
// times; so no tree of commands is built for it.
var protocol = []string{credentials.ActionGet, credentials.ActionStore, credentials.ActionErase, credentials.ActionList}

// Main is Run for a process: it adds the terminal to env, and ends the run at a signal. A
// signal that the parent process made this one ignore (as nohup does with SIGHUP) stays
// ignored. RestoreTerminal restores the terminal's state of now, because later it may
// already hide what is typed. A Stdout that env has is kept; its Transport is the process's
// own, and has not been used.
//
// The name by which the program was called comes before the arguments, as in os.Args.
func Main(env app.Env, stdin, stdout *os.File, args []string) int {
	name, args := strings.TrimSuffix(filepath.Base(args[0]), ".exe"), args[1:]
	env.FromEnvironment = name == environmentProgram
	if strings.HasPrefix(name, kubelet.PeerProgram) {
		args = append([]string{kubelet.Name}, args...)
	}
	wanted := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGHUP}, signal.Ignored)
	ctx, stop := signal.NotifyContext(context.Background(), append(wanted, syscall.SIGTERM)...)
	defer stop()
	log.SetOutput(io.Discard) // net/http logs what servers send
	env.Environ = httpguard.TrimProxyVariables(env.Environ, os.Setenv)
	httpguard.Harden(env.Transport, env.Getenv())
	in := int(stdin.Fd())
	env.Stdin, env.StdinIsTerminal, env.StdoutIsTerminal = stdin, term.IsTerminal(in), term.IsTerminal(int(stdout.Fd()))
	if env.Stdout == nil {
		env.Stdout = stdout
	}
	env.Columns = func() int {
		columns, _, _ := term.GetSize(int(stdout.Fd()))
		return columns
	}
	env.ReadPassword = func() ([]byte, error) { return term.ReadPassword(in) }
	env.RestoreTerminal = func() {}
	if before, err := term.GetState(in); err == nil {
		env.RestoreTerminal = func() { _ = term.Restore(in, before) }
	}
	return Run(ctx, env, args)
}

// Run does what the arguments say and returns the exit status: 0, 1 for a failure, or 2
// for a usage error. What clients run behaves as credentials.Serve of
// docker-credential-helpers does, which prints its usage on standard output.
func Run(ctx context.Context, env app.Env, args []string) int {
	// A read from a terminal doesn't end with the context, so this ends the program.
	defer context.AfterFunc(ctx, func() { exitAfterInterrupt(env) })()
	level := slog.LevelWarn // what users should know; with the variable, every step
	if value := env.Getenv()("DOCKER_CREDENTIAL_ACR_TRACE"); value != "" && value != "0" {
		level = slog.LevelDebug
	}
	env.Log = slog.New(&lineHandler{out: env.Stderr, level: level, now: env.Now, start: env.Now()})
	if len(args) == 0 {
		fmt.Fprint(env.Stdout, help(Root(cmdutil.Env{Env: env})))
		return exitUsage
	}
	switch action := args[0]; {
	case slices.Contains(protocol, action) && len(args) == 1: // with more arguments, a user has typed it
		return serve(ctx, env, action)
	case action == "--version", action == "-v", action == credentials.ActionVersion && len(args) == 1:
		fmt.Fprintf(env.Stdout, "%s (%s) %s\n", program, module, currentVersion())
		return 0
	case action == kubelet.Name && !kubelet.WantsHelp(args):
		return kubelet.Main(ctx, cmdutil.Env{Env: env, Version: currentVersion()}, args[1:])
	}
	open := sync.OnceValues(func() (*app.App, error) { return app.Open(env) })
	return runCommand(ctx, cmdutil.Env{Env: env, Open: open, Version: currentVersion()}, args)
}

// runCommand runs one of the commands that users type. Their results go to standard
// output, everything else to standard error.
func runCommand(ctx context.Context, env cmdutil.Env, args []string) int {
	root := Root(env)
	root.SetIn(env.Stdin)
	root.SetOut(text.Writer{Out: env.Stdout}) // help and completions
	root.SetErr(text.Writer{Out: env.Stderr})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(env.Stderr, program+": interrupted")
		return exitInterrupted
	}
	fmt.Fprintf(env.Stderr, "%s: %s\n", program, text.Line(app.Message(err)))
	if cmdutil.IsUsage(err) {
		return exitUsage
	}
	return exitFailed
}

// exitAfterInterrupt ends the program although it may be waiting for its input.
func exitAfterInterrupt(env app.Env) {
	if env.Exit == nil {
		return
	}
	time.Sleep(100 * time.Millisecond) // for az to end, which is in another process group
	env.RestoreTerminal()
	if env.StdinIsTerminal {
		fmt.Fprintln(env.Stderr) // after the question that is not answered any more
	}
	env.Exit(exitInterrupted)
}

// A lineHandler is a slog.Handler that writes one plain line a record; steps have the
// milliseconds since the start.
type lineHandler struct {
	out   io.Writer
	level slog.Level
	now   func() time.Time
	start time.Time
}

// Enabled implements slog.Handler.
func (h *lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements slog.Handler.
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(program + ": ")
	if r.Level < slog.LevelWarn {
		fmt.Fprintf(&line, "trace: %d ms: ", h.now().Sub(h.start).Milliseconds())
	} else {
		line.WriteString("warning: ")
	}
	line.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		if value := a.Value.Resolve().String(); value != "" {
			fmt.Fprintf(&line, " %s=%q", a.Key, value)
		}
		return true
	})
	_, err := fmt.Fprintln(h.out, text.Line(line.String()))
	return err
}

// WithAttrs and WithGroup complete the interface; the program doesn't use them.
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }

// version is set when a release is linked; otherwise it is the module's or the commit's.
var version string

// currentVersion returns the program's version: without one that was linked, what the go
// command records, which is the module's for go install MODULE@VERSION, and the commit's
// pseudo-version for a build in a checkout.
func currentVersion() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case !ok, info.Main.Version == "", info.Main.Version == "(devel)":
		return "devel"
	}
	return info.Main.Version
}
