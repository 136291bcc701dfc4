// Package status is the command that shows which identity is used for which registry.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/clients"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// Command returns the command status.
func Command(env cmdutil.Env) *cobra.Command {
	var asJSON, check bool
	c := &cobra.Command{
		Use:   "status [REGISTRY|PATTERN]",
		Short: "Show which identity is used for each registry",
		Long: `Show which identity is used for each registry, why, and when its token expires.

Without an argument, it shows every registry that has a stored login, a cached
token, or an entry in the config file or in the files of Docker and Podman. It
uses neither the network nor the keyring.`,
		Example: cmdutil.Examples(
			"Show all registries", "status",
			"Show everything about one registry", "status contoso.azurecr.io",
			"Print JSON for scripts", "status --json",
			"Sign in only if necessary",
			"status contoso.azurecr.io --check || \\\n    "+cmdutil.Program+" login contoso.azurecr.io"),
		Args: func(c *cobra.Command, args []string) error {
			if err := cmdutil.Args(0, 1, "REGISTRY or PATTERN")(c, args); err != nil {
				return err
			}
			if check && (len(args) == 0 || strings.Contains(args[0], "*")) {
				return cmdutil.UsageErrorf("status --check needs a REGISTRY; see: %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: env.Run("status", func(ctx context.Context, a *app.App, args []string) error {
			return run(ctx, env, a, args, asJSON, check)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	c.Flags().BoolVar(&check, "check", false, "Exit with status 1 unless REGISTRY has a valid token, or an identity "+
		"whose last sign-in did not fail and whose login, if it needs one, can be opened (reads the keyring; no network)")
	return c
}

// checkTimeout is above what the keyring is given.
const checkTimeout = 10 * time.Second

// run prints the rows, and then, with --check, opens what they are about.
func run(ctx context.Context, env cmdutil.Env, a *app.App, args []string, asJSON, check bool) error {
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	s := a.Vault.Open()
	defer s.Close()
	col := collector{a, s, a.Selector(s), paths, clients.New(a.Runner.Getenv, a.Clouds), env.Now()}
	rows, err := col.rows(args)
	if err != nil {
		return err
	}
	if asJSON {
		err = env.PrintJSON(Report{rows})
	} else {
		err = env.Print(col.print(env.Screen(), rows, len(args) > 0))
	}
	if err != nil || !check {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := col.check(ctx, rows[0].Registry); err != nil || rows[0].namespace == nil {
		return err
	}
	return rows[0].problem
}

// check opens what is stored for a registry, as get would; nil if it can be used.
func (c collector) check(ctx context.Context, server string) error {
	host, err := c.app.Clouds.ParseHost(server)
	if err != nil {
		return c.checkOther(ctx, server)
	}
	id, err := c.selector.Select(host)
	if err == nil {
		err = c.checkIdentity(ctx, host, id)
	}
	if err != nil {
		return &app.Error{Registry: server, Identity: id, Err: err}
	}
	return nil
}

// checkOther checks another registry's login, or asks the delegate for it.
func (c collector) checkOther(ctx context.Context, server string) error {
	_, err := c.app.Get(ctx, server, false)
	if failed, ok := errors.AsType[*app.Error](err); ok {
		return failed.Err
	}
	if err == nil {
		return nil
	}
	d, err := c.app.Delegate()
	if err != nil || d == nil {
		return cmp.Or(err, fmt.Errorf("nothing is stored. Run: docker login %s", server))
	}
	return fmt.Errorf("%s has no login for it. Run: docker login %s", d.Program(), server)
}

// checkIdentity looks for a token first, and for a login only where there is no token, so
// that the keyring is read once.
func (c collector) checkIdentity(ctx context.Context, host registry.Host, id identity.Identity) error {
	switch {
	case id.IsStatic():
		_, err := c.vault.Secret(ctx, *id.Login)
		return err
	case id.Login != nil:
		if err := c.vault.Verify(ctx, host, *id.Login); err != nil {
			return err
		}
	}
	if id.IsAnonymous() || id.Detected {
		_, err := c.vault.CachedToken(ctx, host, vault.StoredToken)
		switch {
		case err == nil, id.Kind == identity.Anonymous: // anonymous access needs nothing
			return nil
		case id.Kind == identity.None:
			return noToken(err, fault.New(fault.NoIdentity, "not signed in, and no token is stored"))
		}
	}
	_, err := c.vault.CachedToken(ctx, host, id)
	if err == nil {
		return nil
	}
	_, hadToken, failure := c.vault.Peek(host, id)
	switch {
	case failure != nil:
		return failure
	case id.Login != nil && id.Login.HasSecret():
		_, err = c.vault.Secret(ctx, *id.Login)
		return err
	case id.Detected && !hadToken: // it may not be there
		return noToken(err, fmt.Errorf("no token of %s is cached yet", id))
	}
	return noToken(err, nil)
}

// noToken replaces the error for no token.
func noToken(err, instead error) error {
	if errors.Is(err, vault.ErrNoToken) {
		return instead
	}
	return err
}
