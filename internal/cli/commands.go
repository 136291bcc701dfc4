package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/configure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/login"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/logout"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/status"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/token"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/unlock"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Root returns the tree of commands that users type, and hidden ones that only describe what
// clients run.
func Root(env cmdutil.Env) *cobra.Command {
	root := &cobra.Command{
		Use: program + " COMMAND", Short: "Docker credential helper for Azure Container Registry",
		Long: `Get credentials for Azure Container Registry, for Docker, Podman and others.

This helper uses your "az login" session, AZURE_* variables, CI tokens, a
managed identity, "docker login" credentials, or its own login.`,
		Example: cmdutil.Examples(
			"Use this helper with Docker and Podman for a registry", "configure contoso.azurecr.io",
			"Sign in, if you are not signed in with Azure CLI", "login contoso.azurecr.io",
			"Find out why a pull fails", "doctor contoso.azurecr.io"),
		DisableFlagsInUseLine: true, SilenceErrors: true, SilenceUsage: true, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmdutil.UsageErrorf("no command given; see: %s --help", program)
			}
			return unknownCommand(c, args[0])
		},
	}
	root.SetFlagErrorFunc(flagError)
	cobra.EnableCommandSorting = false // the most used ones come first
	root.AddCommand(login.Command(env), logout.Command(env), status.Command(env), doctor.Command(env),
		configure.Command(env), configure.UndoCommand(env), token.Command(env), unlock.Command(env), config.Command(env),
		kubelet.Command(env))
	for _, c := range root.Commands() {
		if strings.Contains(c.Use, "REGISTRY") {
			c.ValidArgsFunction = env.Complete
		}
	}
	for _, action := range clientCommands {
		root.AddCommand(clientCommand(action[0], action[1]))
	}
	addHelp(root)
	return root
}

// unknownCommand is the error for a command that doesn't exist.
func unknownCommand(root *cobra.Command, typed string) error {
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	if meant := text.Nearest(strings.ToLower(typed), names); meant != "" {
		return cmdutil.UsageErrorf("unknown command %q; did you mean %s? See: %s --help", typed, meant, program)
	}
	return cmdutil.UsageErrorf("unknown command %q; see: %s --help", typed, program)
}

// clientCommand describes what clients run, which a user has typed with arguments; without,
// serve answers.
func clientCommand(name, what string) *cobra.Command {
	c := &cobra.Command{
		Use: name, Short: what, Hidden: true, DisableFlagsInUseLine: true, Args: cobra.ArbitraryArgs,
		Long: what + ".\n\nClients run this command; you don't need to. It has no flags and no arguments.",
		RunE: func(*cobra.Command, []string) error {
			if requests[name] == "" {
				return cmdutil.UsageErrorf("%s takes no arguments", name)
			}
			return cmdutil.UsageErrorf("%s takes no arguments; it reads standard input: echo REGISTRY | %s %[1]s",
				name, program)
		},
	}
	if requests[name] != "" {
		c.Long += "\nIt reads from standard input " + requests[name] + "."
	}
	return c
}

// flagError says what is wrong with a flag, without its value, which may be a secret.
func flagError(c *cobra.Command, err error) error {
	switch e := err.(type) {
	case *pflag.NotExistError:
		return unknownFlag(c, e)
	case *pflag.InvalidSyntaxError:
		err = errors.New("invalid flag: the name is missing")
	case *pflag.InvalidValueError:
		err = fmt.Errorf("--%s takes no value", e.GetFlag().Name)
	}
	return cmdutil.UsageErrorf("%w; see: %s --help", err, c.CommandPath())
}

// unknownFlag is the error for a flag that doesn't exist.
func unknownFlag(c *cobra.Command, e *pflag.NotExistError) error {
	typed, names := e.GetSpecifiedName(), []string{"help"}
	if e.GetSpecifiedShortnames() != "" {
		return cmdutil.UsageErrorf("unknown flag: -%s; see: %s --help", typed, c.CommandPath())
	}
	if !c.HasParent() {
		names = append(names, "version")
	}
	c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if meant := text.Nearest(strings.ToLower(typed), names); meant != "" {
		return cmdutil.UsageErrorf("unknown flag: --%s; did you mean --%s? See: %s --help", typed, meant, c.CommandPath())
	}
	return cmdutil.UsageErrorf("unknown flag: --%s; see: %s --help", typed, c.CommandPath())
}

// help is what --help prints. It is not a template of cobra's, which would link
// text/template, and with that whatever a template might call.
func help(c *cobra.Command) string {
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Hidden = true // whose reader knows it
	c.Flags().SortFlags = false
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s\n", cmp.Or(c.Long, c.Short), c.UseLine())
	section := func(title, content string) {
		if content != "" {
			fmt.Fprintf(&b, "\n%s:\n%s\n", title, strings.TrimRight(content, "\n"))
		}
	}
	section("Examples", c.Example)
	var commands [][2]string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			commands = append(commands, [2]string{sub.Name(), sub.Short})
		}
	}
	section("Commands", columns(commands))
	if !c.HasParent() {
		section("Commands that clients run", columns(clientCommands))
		section("Environment", columns(Environment))
	}
	section("Sign-in methods", columns(flags(c, true)))
	section("Flags", columns(flags(c, false)))
	if commands != nil {
		fmt.Fprintf(&b, "\nHelp for a command: %s COMMAND --help\n", c.CommandPath())
	}
	fmt.Fprintf(&b, "\nLearn more: https://%s\n", module)
	return b.String()
}

// helpWidth is the width of a terminal as it opens. Help has it everywhere, because it is
// also read in documents and pipes.
const helpWidth = 80

// columns lays out names and what they mean.
func columns(pairs [][2]string) string {
	var rows [][]string
	for _, p := range pairs {
		rows = append(rows, []string{"  " + p[0], p[1]})
	}
	return screen.Screen{Width: helpWidth}.Table(rows)
}

// flags returns the flags that choose a method, or the others, with what they do. The
// name of a flag's value is in back quotes, as pflag has it.
func flags(c *cobra.Command, methods bool) (pairs [][2]string) {
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, isMethod := f.Annotations[cmdutil.MethodFlag]; f.Hidden || isMethod != methods {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := strings.TrimSpace("--" + f.Name + " " + value)
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if f.DefValue != "" && f.DefValue != "false" {
			usage += " (default: " + f.DefValue + ")"
		}
		pairs = append(pairs, [2]string{name, usage})
	})
	return pairs
}

// addHelp gives the commands their help, and each shell its completions.
func addHelp(root *cobra.Command) {
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { fmt.Fprint(c.OutOrStdout(), help(c)) })
	root.SetHelpCommand(&cobra.Command{
		Use: "help [COMMAND]", Short: "Show the help of a command", Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil || about == root && len(rest) > 0 {
				return unknownCommand(root, strings.Join(args, " "))
			}
			return about.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Use, completion.Short = "completion SHELL", "Print shell completions"
	completion.Long = "Print completions for a shell: bash, zsh, fish or powershell.\n\n" +
		"Completions know the commands, their flags and your registries."
	completion.Example = "  # Load completions in this bash session\n  source <(" + program + " completion bash)\n\n" +
		cmdutil.Examples("Show how to install completions for zsh", "completion zsh --help")
	completion.Args, completion.RunE = cobra.ArbitraryArgs, func(*cobra.Command, []string) error {
		return cmdutil.UsageErrorf("choose a shell: %s completion bash, zsh, fish or powershell", program)
	}
	for _, c := range completion.Commands() {
		c.Args = cmdutil.Args(0, 0, "")
		c.DisableFlagsInUseLine = false // cobra sets it for bash only
		c.Short, c.Long = "Print completions for "+c.Name(), "Print completions for "+c.Name()+"."
		c.Example = completions[c.Name()]
		if f := c.Flags().Lookup("no-descriptions"); f != nil {
			f.Usage = "Leave out the descriptions"
		}
	}
}

// completions is how each shell takes its own.
var completions = map[string]string{
	"bash": `  # Load them in this session (needs bash-completion)
  source <(docker-credential-acr completion bash)

  # Load them in every session (as root)
  docker-credential-acr completion bash > \
      /etc/bash_completion.d/docker-credential-acr`,
	"zsh": `  # Load them in this session (after compinit)
  source <(docker-credential-acr completion zsh)

  # Load them in every session (you must be able to write to the directory)
  docker-credential-acr completion zsh > "${fpath[1]}/_docker-credential-acr"`,
	"fish": `  # Load them in this session
  docker-credential-acr completion fish | source

  # Load them in every session
  docker-credential-acr completion fish > \
      ~/.config/fish/completions/docker-credential-acr.fish`,
	"powershell": `  # Load them in this session
  docker-credential-acr completion powershell | Out-String | Invoke-Expression

  # Load them in every session
  docker-credential-acr completion powershell >> $PROFILE`,
}
