package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/configure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/login"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/logout"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/status"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/token"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/unlock"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// Exit statuses of the commands that people type.
const (
	statusFailed  = 1
	statusMistype = 2
)

// command runs one of the commands that people type. Their results go to standard
// output, everything else to standard error.
func (w World) command(ctx context.Context, args []string) int {
	root := Root(w.desk(ctx))
	root.SetIn(w.Stdin)
	root.SetOut(w.Stdout)
	root.SetErr(w.Stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		fmt.Fprintln(w.Stderr, program+": interrupted")
		return interruptedStatus
	}
	fmt.Fprintf(w.Stderr, "%s: %s\n", program, oneLine(hint.Advice(err)))
	if mistype.Is(err) {
		return statusMistype
	}
	return statusFailed
}

// Root is the tree of commands that people type.
func Root(d desk.Desk) *cobra.Command {
	root := &cobra.Command{
		Use: program, Short: "a Docker credential helper for Azure Container Registry", Long: usage,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return mistype.Errorf("say which command; see: %s --help", program)
			}
			if slices.Contains(protocol, args[0]) {
				return mistype.Errorf("%s takes no arguments; it reads standard input: echo REGISTRY | %s %[1]s", args[0], program)
			}
			if args[0] == credentials.ActionVersion {
				return mistype.Errorf("%s takes no arguments", args[0])
			}
			return mistype.Errorf("there is no command %q; see: %s --help", args[0], program)
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(configure.Commands(d)...)
	root.AddCommand(login.Command(d), logout.Command(d), status.Command(d), token.Command(d), unlock.Command(d), doctor.Command(d))
	for _, c := range root.Commands() {
		if strings.Contains(c.Use, "REGISTRY") {
			c.ValidArgsFunction = d.Complete
		}
	}
	addHelp(root)
	return root
}

// flagError says what is wrong with a flag. What was typed as its value may be a
// secret, and goes unsaid.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var malformed *pflag.InvalidSyntaxError
	var value *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		err = errors.New("unknown flag: -" + unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		err = errors.New("unknown flag: --" + unknown.GetSpecifiedName())
	case errors.As(err, &malformed):
		err = errors.New("a flag has a name behind its hyphens")
	case errors.As(err, &value):
		err = fmt.Errorf("--%s takes no value", value.GetFlag().Name)
	}
	return mistype.Errorf("%w; see: %s --help", err, c.CommandPath())
}

// open furnishes the rooms for a command.
func (w World) open() (*wiring.Rooms, error) {
	return wiring.Open(wiring.World{
		Environ: w.Environ, Transport: w.Transport, OnAzureVM: w.OnAzureVM, Log: w.logger(), Now: w.Now,
	})
}

// desk is the world as commands see it.
func (w World) desk(ctx context.Context) desk.Desk {
	return desk.Desk{
		Open: w.open, Helper: w.helper(ctx).Helper, Getenv: wiring.Getenv(w.Environ),
		Stdin: w.Stdin, Terminal: w.Terminal, Password: w.Password, Stdout: w.Stdout, Stderr: w.Stderr, ToTerminal: w.ToTerminal,
		Transport: w.Transport, Resolve: w.Resolve, Executable: w.Executable, Version: version(), Now: w.Now,
	}
}
