package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/configure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/login"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/logout"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/status"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/token"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/unlock"
)

// Root returns the tree of commands that users type. The actions of clients are none of
// its commands: with arguments they are usage errors, which say how to run them.
func Root(env cmdutil.Env) *cobra.Command {
	root := &cobra.Command{
		Use: program, Short: "a Docker credential helper for Azure Container Registry", Long: usage,
		SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmdutil.UsageErrorf("no command; see: %s --help", program)
			}
			if slices.Contains(protocol, args[0]) {
				return cmdutil.UsageErrorf("%s takes no arguments; it reads standard input: echo REGISTRY | %s %[1]s",
					args[0], program)
			}
			if args[0] == credentials.ActionVersion {
				return cmdutil.UsageErrorf("%s takes no arguments", args[0])
			}
			return cmdutil.UsageErrorf("there is no command %q; see: %s --help", args[0], program)
		},
	}
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(configure.Command(env), configure.UndoCommand(env), login.Command(env), logout.Command(env),
		status.Command(env), token.Command(env), unlock.Command(env), doctor.Command(env))
	for _, c := range root.Commands() {
		if strings.Contains(c.Use, "REGISTRY") {
			c.ValidArgsFunction = env.Complete
		}
	}
	addHelp(root)
	return root
}

// flagError says what is wrong with a flag, without its value, which may be a secret.
func flagError(c *cobra.Command, err error) error {
	switch e := err.(type) {
	case *pflag.NotExistError:
		hyphens := "--"
		if e.GetSpecifiedShortnames() != "" {
			hyphens = "-"
		}
		err = errors.New("unknown flag: " + hyphens + e.GetSpecifiedName())
	case *pflag.InvalidSyntaxError:
		err = errors.New("a flag needs a name after its hyphens")
	case *pflag.InvalidValueError:
		err = fmt.Errorf("--%s takes no value", e.GetFlag().Name)
	}
	return cmdutil.UsageErrorf("%w; see: %s --help", err, c.CommandPath())
}

// usage is the help of the program as a whole, and what it prints without arguments.
const usage = `Usage: docker-credential-acr COMMAND

A credential helper for Azure Container Registry, which Docker, Podman and other
clients run. It uses the account of "az login", the variables of the Azure SDKs
and of CI systems, the managed identity of this computer, "docker login", or its
own login.

    configure [REGISTRY…]      name this helper in Docker's and Podman's files
    unconfigure [REGISTRY…]    take it out of them again
    login [REGISTRY|PATTERN]   sign in once: in a browser, as an application, …
    logout REGISTRY|PATTERN    delete a login and its tokens; or --all
    status [REGISTRY|PATTERN]  who you are to which registry, and for how long
    token REGISTRY             print an ACR token, for scripts
    unlock                     unlock the OS keyring, by its own dialog
    doctor [REGISTRY|IMAGE]    say what is wrong, and what to do about it
    completion SHELL           completions for bash, zsh, fish or powershell

"docker-credential-acr login --help" says more. What clients run: get, store,
erase, list, version. To see what one would be answered:

    echo contoso.azurecr.io | docker-credential-acr get

DOCKER_CREDENTIAL_ACR_TRACE=1 shows each step, without secrets.
`

// screen is the width of a terminal as it opens. (It has 24 lines; a test holds that
// every help fits.)
const screen = 80

// help is what --help prints. It is not a template of cobra's, which would link
// text/template, and with that whatever a template might call.
func help(c *cobra.Command) string {
	if !c.HasParent() {
		return usage
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: %s\n\n%s\n", c.Long, c.UseLine(), c.Example)
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Hidden = true // whose reader knows it
	flags := c.Annotations[cmdutil.FlagsHelp]
	if flags == "" {
		flags = c.LocalFlags().FlagUsagesWrapped(screen)
	}
	if flags != "" {
		fmt.Fprintf(&b, "\n%s", flags)
	}
	return b.String()
}

// addHelp gives the commands their help, and each shell its completions.
func addHelp(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { fmt.Fprint(c.OutOrStdout(), help(c)) })
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "say how a command is used", Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && slices.Contains(append(protocol, credentials.ActionVersion), args[0]) {
				return root.Help()
			}
			about, rest, err := root.Find(args)
			if err != nil || about == root && len(rest) > 0 {
				return cmdutil.UsageErrorf("there is no command %q; see: %s --help", strings.Join(args, " "), program)
			}
			return about.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Short = "print completions for a shell"
	completion.Long = "Print completions for bash, zsh, fish or powershell. They know the commands,\n" +
		"their flags, and the registries that there is something for."
	completion.Example = cmdutil.Examples("completion bash --help")
	completion.Args, completion.RunE = cobra.ArbitraryArgs, func(*cobra.Command, []string) error {
		return cmdutil.UsageErrorf("name the shell: %s completion bash, zsh, fish or powershell", program)
	}
	for _, c := range completion.Commands() {
		c.Args = cmdutil.Args(0, 0, "no arguments")
		c.Short = "print completions for " + c.Name()
		c.Long = "Print completions for " + c.Name() + ". For this session, and for all that follow:"
		c.Example = completions[c.Name()]
	}
}

// completions is how each shell takes its own.
var completions = map[string]string{
	"bash": `  source <(docker-credential-acr completion bash)    # with bash-completion
  docker-credential-acr completion bash > \
      /etc/bash_completion.d/docker-credential-acr`,
	"zsh": `  source <(docker-credential-acr completion zsh)    # after compinit
  docker-credential-acr completion zsh > "${fpath[1]}/_docker-credential-acr"`,
	"fish": `  docker-credential-acr completion fish | source
  docker-credential-acr completion fish > \
      ~/.config/fish/completions/docker-credential-acr.fish`,
	"powershell": `  docker-credential-acr completion powershell | Out-String | Invoke-Expression
  docker-credential-acr completion powershell >> $PROFILE`,
}
