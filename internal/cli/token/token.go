// Package token is the command that prints an ACR token for scripts.
package token

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// An Answer is what token --output json prints: the fields of "az acr login
// --expose-token", and the token's end. Fields are only ever added.
type Answer struct {
	// AccessToken and RefreshToken are the same ACR refresh token. (Azure CLI calls it
	// accessToken for historical reasons.)
	AccessToken string `json:"accessToken"`
	// LoginServer is the registry.
	LoginServer string `json:"loginServer"`
	// Username goes with the token in docker login and similar commands.
	Username     string `json:"username"`
	RefreshToken string `json:"refreshToken"`
	// ExpiresOn is the end that the token names (RFC 3339); absent for a token whose
	// claims can't be read.
	ExpiresOn *time.Time `json:"expiresOn,omitempty"`
}

// options are the command's flags.
type options struct {
	output         string
	refresh, force bool
}

// Command returns the command token.
func Command(env cmdutil.Env) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "token REGISTRY",
		Short: "Print an ACR token for scripts",
		Long: `Print an ACR refresh token, for scripts and clients without credential helpers.

The command signs in if necessary. A token is valid for three hours. A cached
one is printed again until half of that time is over. The username of a token is
00000000-0000-0000-0000-000000000000.

Anyone who has the token can pull and push as you until it expires.`,
		Example: cmdutil.Examples(
			"Write a file for a computer without the helper", `token contoso.azurecr.io |
    skopeo login contoso.azurecr.io --authfile auth.json --password-stdin \
    --username 00000000-0000-0000-0000-000000000000`,
			`Print JSON with the fields of "az acr login --expose-token"`, "token contoso.azurecr.io --output json",
			"Get a new token after a role assignment", "token contoso.azurecr.io --fresh"),
		Args: cmdutil.Args(1, 1, "REGISTRY"),
		RunE: func(c *cobra.Command, args []string) error {
			return cmdutil.About(args[0], run(c.Context(), env, args[0], o))
		},
	}
	c.Flags().StringVarP(&o.output, "output", "o", "text", "Output `FORMAT`: text (only the token) or json")
	_ = c.RegisterFlagCompletionFunc("output",
		cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&o.refresh, "fresh", false, "Get a new token even if one is cached")
	c.Flags().BoolVar(&o.force, "force", false, "Print the token even to a terminal")
	return c
}

// run gets the token as a client would, and refuses anything else.
func run(ctx context.Context, env cmdutil.Env, typed string, o options) error {
	switch {
	case o.output != "text" && o.output != "json":
		return cmdutil.UsageErrorf("--output must be text or json")
	case env.StdoutIsTerminal && !o.force:
		return errors.New("a token is not printed to a terminal: pipe it to where it is needed, or use --force")
	}
	a, err := env.Open()
	if err != nil {
		return err
	}
	host, canRenew, err := target(a, typed)
	if err != nil {
		return err
	}
	stop := env.Waiting("getting a token for " + host.String())
	c, err := a.Get(ctx, host.String(), o.refresh)
	stop()
	missing, isMissing := errors.AsType[*app.NotFoundError](err)
	switch {
	case isMissing && missing.Reason == "":
		return errors.New("there is no token: this registry is configured for anonymous access")
	case err != nil:
		return err
	case c.User != registry.NullGUID:
		return errPassword
	case o.refresh && !canRenew:
		return errors.New("the stored token came from docker login and can't be renewed")
	}
	return printToken(env, host, c.Secret.Reveal(), o.output)
}

// errPassword keeps a password from being printed as a token.
var errPassword = errors.New("there is no token: the stored login is a registry user with a password")

// target parses the registry, and refuses early one that there can't be a token for.
// canRenew is false for a stored token, which no identity renews.
func target(a *app.App, typed string) (host registry.Host, canRenew bool, err error) {
	if err := a.Config.Err(); err != nil {
		return host, false, err
	}
	if host, err = a.Clouds.ParseHost(typed); err != nil {
		return host, false, cmdutil.UnknownRegistry(a.Clouds, typed, " (for example contoso.azurecr.io)")
	}
	s := a.Vault.Open()
	defer s.Close()
	id, err := a.Selector(s).Select(host)
	switch {
	case err != nil:
		return host, false, &app.Error{Registry: host.String(), Identity: id, Err: err}
	case id.Kind == identity.RegistryUser:
		return host, false, errPassword
	case id.IsStatic():
		return host, false, errors.New(
			"there is no token: the tenant of the stored service principal is unknown. Set AZURE_TENANT_ID")
	}
	stored, ok, _ := s.Peek(host, vault.StoredToken)
	hasToken := ok && stored.Life.IsValid(a.Now())
	return host, !id.IsAnonymous() && !(id.Detected && hasToken), nil
}

// printToken prints the token alone, or the JSON object, whose end is that of the token's
// claims.
func printToken(env cmdutil.Env, host registry.Host, token, output string) error {
	if output == "text" {
		return env.Print(token + "\n")
	}
	answer := Answer{AccessToken: token, LoginServer: host.String(), Username: registry.NullGUID, RefreshToken: token}
	if claims, err := exchange.Parse(token); err == nil {
		answer.ExpiresOn = new(claims.ExpiresAt.UTC())
	}
	return env.PrintJSON(answer)
}
