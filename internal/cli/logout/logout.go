// Package logout is the command that deletes logins, and the tokens that they obtained.
package logout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// Command returns the command logout.
func Command(env cmdutil.Env) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "logout REGISTRY|PATTERN",
		Short: "Sign out of a registry",
		Long: `Sign out: delete the login for a registry or pattern, its registry tokens, and
the cached Microsoft Entra access token.

"docker logout" deletes the login and the tokens of one registry, but the access
token only if it also deletes a login. "status" shows the names of all stored
logins.`,
		Example: cmdutil.Examples(
			"Sign out of one registry", "logout contoso.azurecr.io",
			"Delete the login for a pattern", "logout '*.azurecr.io'",
			"Delete everything that is stored", "logout --all"),
		Args: func(c *cobra.Command, args []string) error {
			if all {
				if len(args) > 0 {
					return cmdutil.UsageErrorf("use either a REGISTRY (or PATTERN) or --all; see: %s --help", c.CommandPath())
				}
				return nil
			}
			return cmdutil.Args(1, 1, "REGISTRY or PATTERN")(c, args)
		},
		RunE: env.Run("logout --all", func(ctx context.Context, a *app.App, args []string) error {
			if all {
				return logoutAll(ctx, env, a)
			}
			return logout(ctx, env, a, args[0])
		}),
	}
	c.Flags().BoolVar(&all, "all", false, "Delete all logins and tokens, including other registries', and the "+
		"encryption key, without confirmation")
	return c
}

// logoutAll names what was deleted, even if something could not be.
func logoutAll(ctx context.Context, env cmdutil.Env, a *app.App) error {
	ctx, cancel := context.WithTimeout(ctx, cmdutil.WriteTimeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	erased, keys, err := s.EraseAll(ctx)
	lines := describe("", erased)
	for _, backend := range keys {
		lines = append(lines, "deleted the encryption key from "+keystore.Title(backend))
	}
	if len(lines) == 0 && err == nil {
		lines = append(lines, "nothing to delete")
	}
	if d, _ := a.Delegate(); d != nil {
		lines = append(lines, "other registries' logins in "+d.Program()+" were not deleted")
	}
	for _, line := range lines {
		env.Markf(screen.OK, "%s", line)
	}
	return err
}

// logout deletes what is stored for a server, here and in the delegate, and names a
// pattern's login that still covers it.
func logout(ctx context.Context, env cmdutil.Env, a *app.App, typed string) error {
	target, host, isOther, err := cmdutil.ParseServer(a, typed)
	if err != nil {
		return cmp.Or(a.Config.Err(), err) // it may be a custom cloud's
	}
	erased, wasSignedIn, err := erase(ctx, a, target, host)
	if err != nil {
		return err
	}
	d, _ := a.Delegate()
	isDelegated := isOther && d != nil
	lines := describe(target, erased)
	if wasSignedIn {
		lines = append(lines, deleted(target, "the cached Microsoft Entra access token"))
	}
	if len(lines) == 0 && !isDelegated {
		lines = []string{target + ": nothing to delete"}
	}
	for _, line := range lines {
		env.Markf(screen.OK, "%s", line)
	}
	if isDelegated {
		if err := d.Erase(ctx, target); err != nil {
			return err
		}
		env.Markf(screen.OK, "%s: deleted the login in %s", target, d.Program())
	}
	if isOther || target != host.String() {
		return nil
	}
	id, err := a.Select(host)
	hadLogin := slices.ContainsFunc(erased, func(e vault.Entry) bool { return !e.IsToken })
	switch remains := a.Current(host); {
	case err == nil && id.Source.Kind == identity.FromLogin && id.Source.IsPattern():
		env.Markf(screen.Warning, "%s: you are still signed in through %s", target, id.Source)
	case hadLogin && remains != "":
		env.Markf(screen.Warning, "%s: from now on, you sign in as %s", target, remains)
	}
	return nil
}

// erase deletes what the vault has; wasSignedIn reports whether it had an access token of
// the identity that the registry's tokens came from.
func erase(
	ctx context.Context, a *app.App, target string, host registry.Host,
) (erased []vault.Entry, wasSignedIn bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, cmdutil.WriteTimeout)
	defer cancel()
	s := a.Vault.Open()
	defer s.Close()
	if target == host.String() {
		if id, err := a.Selector(s).Select(host); err == nil {
			wasSignedIn = s.DropAccessToken(host, id)
		}
	}
	erased, err = s.Erase(ctx, target, a.Covers(target))
	return erased, wasSignedIn, err
}

// describe returns a line for each login, once for all keyspaces that it was in, and one
// for all tokens. The target is the server of a login that can't be read, since its file
// was found by the server's name; "" for unknown.
func describe(target string, erased []vault.Entry) (lines []string) {
	tokens := 0
	for _, e := range erased {
		if e.IsToken {
			tokens++
			continue
		}
		what := "the login of " + e.Login.String()
		switch e.Kind {
		case identity.None:
			what = "a login that could not be read"
		case identity.Anonymous:
			what = "the setting for anonymous access"
		}
		lines = append(lines, deleted(cmp.Or(e.Server, target), what))
	}
	slices.Sort(lines)
	lines = slices.Compact(lines)
	if tokens > 0 {
		plural := strings.Repeat("s", min(tokens-1, 1))
		lines = append(lines, deleted(target, fmt.Sprintf("%d cached token%s", tokens, plural)))
	}
	return lines
}

// deleted says that something of a server's was deleted; "" stands for several.
func deleted(server, what string) string {
	if server == "" {
		return "deleted " + what
	}
	return server + ": deleted " + what
}
