package login

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

func (d Desk) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout REGISTRY|PATTERN",
		Short: "forget a login, with the tokens that it earned",
		Long: `Forget the login for a registry, or for a pattern such as '*.azurecr.io', and
the tokens that are kept for the registries it covers. "docker logout REGISTRY" does
the same for one registry.`,
		Example: "  " + Program + " logout contoso.azurecr.io",
		Args:    exactly(1, "REGISTRY|PATTERN"),
		RunE: func(c *cobra.Command, args []string) error {
			return about(args[0], d.logout(c.Context(), args[0]))
		},
	}
}

func (d Desk) logout(ctx context.Context, target string) error {
	rooms, err := d.Open()
	if err != nil {
		return err
	}
	clouds, err := rooms.Identities.Config.Clouds()
	if err != nil {
		return err
	}
	target, host, err := readTarget(clouds, target)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	erased, err := rooms.Vault.Erase(ctx, target, rooms.Covers(target))
	if err != nil {
		return err
	}
	var tokens int
	for _, e := range erased {
		if e.Token {
			tokens++
			continue
		}
		if e.Kind == identity.Anonymous {
			fmt.Fprintf(d.Stdout, "%s: forgot that it was to be left alone\n", target)
		} else {
			fmt.Fprintf(d.Stdout, "%s: forgot the login of %s\n", target, e.Who())
		}
	}
	switch {
	case len(erased) == 0:
		fmt.Fprintf(d.Stdout, "%s: there was nothing to forget\n", target)
	case tokens > 0:
		fmt.Fprintf(d.Stdout, "%s: forgot %d token%s\n", target, tokens, strings.Repeat("s", min(tokens-1, 1)))
	}
	if id, err := rooms.Identities.For(host); err == nil && strings.HasPrefix(id.Source, identity.PatternLogin) && target == host.String() {
		fmt.Fprintf(d.Stdout, "%s: %s still covers it\n", target, id.Source)
	}
	return nil
}

// writeTimeout bounds the wait for another process that is changing the login.
const writeTimeout = 20 * time.Second

// readTarget reads a registry as clients spell it, or a pattern. The host is an
// example of what the pattern matches.
func readTarget(clouds registry.Clouds, typed string) (target string, host registry.Host, err error) {
	if host, err := clouds.ParseHost(typed); err == nil {
		return host.String(), host, nil
	}
	if host, err = clouds.Example(typed); err != nil {
		return "", registry.Host{}, mistype.Errorf("%w; other clouds and domains stand in the config file", err)
	}
	return typed, host, nil
}

// exactly demands so many arguments, and says which.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return mistype.Errorf("%s takes %s; see: %s --help", c.Name(), what, c.CommandPath())
		}
		return nil
	}
}
