package login

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

func logoutCommand(d desk.Desk) *cobra.Command {
	return &cobra.Command{
		Use:   "logout REGISTRY|PATTERN",
		Short: "forget a login, with the tokens that it earned",
		Long: `Forget the login for a registry, or for a pattern such as '*.azurecr.io', and
the tokens that are kept for the registries it covers. "docker logout REGISTRY" does
the same for one registry.`,
		Example:           "  " + desk.Program + " logout contoso.azurecr.io",
		ValidArgsFunction: d.CompleteRegistry,
		Args:              desk.Exactly(1, "REGISTRY|PATTERN"),
		RunE: func(c *cobra.Command, args []string) error {
			return desk.About(args[0], logout(c.Context(), d, args[0]))
		},
	}
}

func logout(ctx context.Context, d desk.Desk, target string) error {
	rooms, err := d.Open()
	if err != nil {
		return err
	}
	clouds, err := rooms.Identities.Config.Clouds()
	if err != nil {
		return err
	}
	target, host, err := desk.ReadTarget(clouds, target)
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
