// Package logout is the command that forgets logins, and what they have earned.
package logout

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/delegate"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// Command is logout.
func Command(d desk.Desk) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "logout REGISTRY|PATTERN",
		Short: "forget a login, with the tokens that it earned",
		Long: `Forget the login for a registry, or for a pattern such as '*.azurecr.io', and
the tokens that are kept for the registries it covers. "docker logout REGISTRY"
does the same for one registry. Other registries' logins go by the name that
"status" shows.

With --all everything is forgotten, other registries' logins too, and the key
that it was sealed with is destroyed, also for other vaults
(DOCKER_CREDENTIAL_ACR_HOME) that share it. Nothing is asked.`,
		Example: "  " + desk.Program + " logout contoso.azurecr.io\n" +
			"  " + desk.Program + " logout --all",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return mistype.Errorf("logout takes either REGISTRY|PATTERN or --all; see: %s --help", c.CommandPath())
			case all:
				return nil
			}
			return desk.Exactly(1, "REGISTRY|PATTERN")(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			if all {
				return desk.About("logging out everywhere", logoutAll(c.Context(), d))
			}
			return desk.About(args[0], logout(c.Context(), d, args[0]))
		},
	}
	c.Flags().BoolVar(&all, "all", false, "forget every login and token, other registries' too, and destroy the key")
	return c
}

// logoutAll names what is forgotten, even if something can't be.
func logoutAll(ctx context.Context, d desk.Desk) error {
	rooms, err := d.Open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, desk.WriteTimeout)
	defer cancel()
	done, err := rooms.Vault.EraseAll(ctx)
	lines, tokens := summary(done.Erased)
	if tokens > 0 {
		lines = append(lines, counted(tokens))
	}
	for _, home := range done.Keys {
		lines = append(lines, "destroyed the key in "+desk.HomeName(home))
	}
	if len(lines) == 0 && err == nil {
		lines = append(lines, "there was nothing to forget")
	}
	if other, _ := rooms.Delegate(); other != nil {
		lines = append(lines, "what "+other.Program()+" keeps of other registries stays there")
	}
	for _, line := range lines {
		fmt.Fprintln(d.Stdout, line)
	}
	return err
}

// forgotten names a login that is no more.
func forgotten(e vault.Erased) string {
	server := identity.Printable(e.Server)
	switch {
	case server == "":
		return "forgot a login that could not be read"
	case e.Kind == identity.None:
		return server + ": forgot a login that could not be read"
	case e.Kind == identity.Anonymous:
		return server + ": forgot that it was to be left alone"
	}
	return fmt.Sprintf("%s: forgot the login of %s", server, identity.Printable(e.Who()))
}

func counted(tokens int) string {
	return fmt.Sprintf("forgot %d token%s", tokens, strings.Repeat("s", min(tokens-1, 1)))
}

func logout(ctx context.Context, d desk.Desk, typed string) error {
	rooms, err := d.Open()
	if err != nil {
		return err
	}
	clouds, broken := rooms.Identities.Config.Clouds()
	target, host, foreign, err := desk.ReadServer(rooms, clouds, typed)
	switch {
	case err != nil && broken != nil: // which spoils the built-in clouds for nobody
		return broken
	case err != nil:
		return err
	}
	erased, err := erase(ctx, rooms, target)
	if err != nil {
		return err
	}
	other, _ := rooms.Delegate()
	if elsewhere := foreign && other != nil; !elsewhere || len(erased) > 0 {
		say(d.Stdout, target, erased)
	}
	if foreign {
		return logoutElsewhere(ctx, d.Stdout, other, target)
	}
	if id, err := rooms.Identities.For(host); err == nil && strings.HasPrefix(id.Source, identity.PatternLogin) && target == host.String() {
		fmt.Fprintf(d.Stdout, "%s: %s still covers it\n", target, id.Source)
	}
	return nil
}

func erase(ctx context.Context, rooms *wiring.Rooms, target string) ([]vault.Erased, error) {
	ctx, cancel := context.WithTimeout(ctx, desk.WriteTimeout)
	defer cancel()
	return rooms.Vault.Erase(ctx, target, rooms.Covers(target))
}

// say names what is no more.
func say(out io.Writer, target string, erased []vault.Erased) {
	for i := range erased {
		if erased[i].Server == "" { // its header could not be read, but its name says whose it was
			erased[i].Server = target
		}
	}
	lines, tokens := summary(erased)
	switch {
	case len(erased) == 0:
		lines = []string{target + ": there was nothing to forget"}
	case tokens > 0:
		lines = append(lines, target+": "+counted(tokens))
	}
	for _, line := range lines {
		fmt.Fprintln(out, line)
	}
}

// summary names each login once, although it may have lain in several compartments,
// and counts the tokens.
func summary(erased []vault.Erased) (lines []string, tokens int) {
	for _, e := range erased {
		if e.Token {
			tokens++
		} else if line := forgotten(e); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines, tokens
}

// logoutElsewhere has the delegate forget another registry's login, too.
func logoutElsewhere(ctx context.Context, out io.Writer, d *delegate.Helper, server string) error {
	if d == nil {
		return nil
	}
	if err := d.Erase(ctx, server); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s has nothing for it any more\n", server, d.Program())
	return nil
}
