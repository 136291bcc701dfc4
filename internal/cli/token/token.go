// Package token is the command that hands an ACR token to scripts.
package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// An Answer is what token --output json prints: what "az acr login --expose-token"
// does, under the same names, and the token's end. Fields are only ever added.
type Answer struct {
	// AccessToken and RefreshToken are the same ACR refresh token. (Azure CLI calls
	// it accessToken for historical reasons.)
	AccessToken string `json:"accessToken"`
	// LoginServer is the registry.
	LoginServer string `json:"loginServer"`
	// Username goes with the token in docker login and its like.
	Username     string `json:"username"`
	RefreshToken string `json:"refreshToken"`
	// ExpiresOn is the end that the token names (RFC 3339); absent for a token whose
	// claims can't be read.
	ExpiresOn *time.Time `json:"expiresOn,omitempty"`
}

// Command is token.
func Command(d desk.Desk) *cobra.Command {
	var output string
	var fresh, force bool
	c := &cobra.Command{
		Use:   "token REGISTRY",
		Short: "print an ACR token, for scripts and clients without credential helpers",
		Long: `Print the ACR token that clients are answered: what it takes to sign in is done,
and a kept token is printed as long as more than half of its life is left. The
user name 00000000-0000-0000-0000-000000000000 goes with it. It lives three
hours.

Whoever has the token can pull and push as you until it ends: it is not printed
to a terminal without --force. JSON has the fields of "az acr login
--expose-token".`,
		Example: "  " + desk.Program + " token contoso.azurecr.io |\n" +
			"      helm registry login contoso.azurecr.io --password-stdin \\\n" +
			"      -u 00000000-0000-0000-0000-000000000000\n" +
			"  " + desk.Program + " token contoso.azurecr.io --output json --fresh",
		Args: desk.Exactly(1, "a REGISTRY"),
		RunE: func(c *cobra.Command, args []string) error {
			if output != "text" && output != "json" {
				return mistype.Errorf("--output is neither text nor json")
			}
			if d.ToTerminal && !force {
				return desk.About(args[0], errors.New("a token is not printed to a terminal: pipe it to where it is needed, or say --force"))
			}
			return desk.About(args[0], run(c.Context(), d, args[0], output, fresh))
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "text", "text (the token alone) or json")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&fresh, "fresh", false, "get a new token, though an older one still lives: a role was just granted")
	c.Flags().BoolVar(&force, "force", false, "print to a terminal, too")
	return c
}

func run(ctx context.Context, d desk.Desk, typed, output string, fresh bool) error {
	host, renewed, err := target(d, typed)
	if err != nil {
		return err
	}
	get := d.Helper.GetContext
	if fresh {
		get = d.Helper.GetFreshContext
	}
	over := d.Waiting("getting a token for " + host.String())
	user, value, err := get(ctx, host.String())
	over()
	if missing := new(credhelper.NotFoundError); errors.As(err, &missing) && missing.Why == "" {
		return errors.New("there is no token: this registry is to be left alone")
	}
	if err != nil {
		return err
	}
	switch {
	case user != credhelper.NullGUID:
		return errNoToken
	case fresh && !renewed:
		return errors.New("there is no fresher token: the one that is kept came through docker login, and nobody is signed in who could renew it")
	}
	return print(d, host, value, output)
}

var errNoToken = errors.New("there is no token: a user of the registry itself is stored for it, with a password")

// target reads the registry, and refuses early what no token can be had for. A token that
// is kept for whoever stored it is not renewed.
func target(d desk.Desk, typed string) (host registry.Host, renewed bool, err error) {
	rooms, err := d.Open()
	if err != nil {
		return host, false, err
	}
	clouds, err := rooms.Identities.Config.Clouds()
	if err != nil {
		return host, false, err
	}
	if host, err = clouds.ParseHost(typed); err != nil {
		return host, false, mistype.Errorf("%q is no login server, such as contoso.azurecr.io; other clouds and domains stand in the config file", typed)
	}
	id, err := rooms.Identities.For(host)
	switch {
	case err != nil:
		return host, false, &credhelper.Error{Registry: host.String(), Source: id.Source, Err: err}
	case id.Kind == identity.RegistryUser:
		return host, false, errNoToken
	case id.Kind == identity.ServicePrincipal && id.Tenant == "":
		return host, false, errors.New("there is no token: the tenant of the stored service principal is not known (AZURE_TENANT_ID can say it)")
	}
	kept, stored, _ := rooms.Vault.Peek(host, vault.StoredToken)
	stored = stored && kept.Life.Alive(d.Now())
	return host, !id.Nobody() && !(id.Presumed && stored), nil
}

func print(d desk.Desk, host registry.Host, value, output string) error {
	if output == "text" {
		_, err := fmt.Fprintln(d.Stdout, value)
		return err
	}
	a := Answer{AccessToken: value, LoginServer: host.String(), Username: credhelper.NullGUID, RefreshToken: value}
	if claims, err := exchange.Parse(value); err == nil {
		end := claims.ExpiresAt.UTC()
		a.ExpiresOn = &end
	}
	encoder := json.NewEncoder(d.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(a)
}
