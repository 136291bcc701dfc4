package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
)

const usage = `Usage: docker-credential-acr COMMAND

A credential helper for Azure Container Registry, which Docker, Podman and other
clients run. It signs in as whoever is known by "az login", by the variables of
Azure's SDKs and of CI systems, by the machine's managed identity, by "docker
login", or by a login of its own.

    configure [REGISTRY…]      name this helper in Docker's and Podman's files
    unconfigure [REGISTRY…]    take it out of them again
    login [REGISTRY|PATTERN]   sign in once: in a browser, as an application, …
    logout REGISTRY|PATTERN    forget a login and what it has earned; or --all
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

// help is what --help prints. It is no template of cobra's, which would link
// text/template, and with that whatever a template might call.
func help(c *cobra.Command) string {
	if !c.HasParent() {
		return usage
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage: %s\n\n%s\n", c.Long, c.UseLine(), c.Example)
	c.InitDefaultHelpFlag()
	c.Flags().Lookup("help").Hidden = true // whoever reads this knows it
	flags := c.Annotations[desk.FlagsHelp]
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
				return mistype.Errorf("there is no command %q; see: %s --help", strings.Join(args, " "), program)
			}
			return about.Help()
		},
	})
	root.InitDefaultCompletionCmd()
	completion, _, _ := root.Find([]string{"completion"})
	completion.Short = "print completions for a shell"
	completion.Long = "Print completions for bash, zsh, fish or powershell. They know the commands,\ntheir flags, and the registries that there is something for."
	completion.Example = "  " + program + " completion bash --help"
	completion.Args, completion.RunE = cobra.ArbitraryArgs, func(*cobra.Command, []string) error {
		return mistype.Errorf("say for which shell: %s completion bash, zsh, fish or powershell", program)
	}
	for _, c := range completion.Commands() {
		c.Args = desk.Exactly(0, "no arguments")
		c.Short, c.Long, c.Example = "print completions for "+c.Name(), "Print completions for "+c.Name()+". For this session, and for all that follow:", completions[c.Name()]
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
