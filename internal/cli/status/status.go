// Package status is the command that shows which identity is used for which registry.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// Command returns the command status.
func Command(env cmdutil.Env) *cobra.Command {
	var asJSON, check bool
	c := &cobra.Command{
		Use:   "status [REGISTRY|PATTERN]",
		Short: "show which identity is used for each registry, and why",
		Long: `Show which identity is used for each registry, why, when its token expires, and
where the encryption key is stored: for all registries of logins, cached tokens,
the config file and clients' files, or for the one that is named. It uses
neither network nor keyring.

With --check it opens what is stored for the registry: one read of the keyring,
no network. The exit status is 0 if there is a valid token or a login that can
be opened, or the registry is set to anonymous access; else 1.`,
		Example: cmdutil.Examples("status", "status contoso.azurecr.io --json",
			"status contoso.azurecr.io --check || echo sign in first"),
		Args: func(c *cobra.Command, args []string) error {
			if err := cmdutil.Args(0, 1, "one REGISTRY or PATTERN")(c, args); err != nil {
				return err
			}
			if check && (len(args) == 0 || strings.Contains(args[0], "*")) {
				return cmdutil.UsageErrorf("status --check takes a REGISTRY; see: %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: env.Run("status", func(ctx context.Context, a *app.App, args []string) error {
			return run(ctx, env, a, args, asJSON, check)
		}),
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&check, "check", false, "exit with 0 only if what is stored for REGISTRY can be used")
	return c
}

// checkTimeout is above what the keyring is given.
const checkTimeout = 10 * time.Second

// run prints the rows, and then, with --check, opens what they are about.
func run(ctx context.Context, env cmdutil.Env, a *app.App, args []string, asJSON, check bool) error {
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	s := a.Vault.Open()
	defer s.Close()
	col := collector{a, s, a.Selector(s), paths, env.Now()}
	rows, err := col.rows(args)
	if err != nil {
		return err
	}
	if asJSON {
		err = env.PrintJSON(Report{rows})
	} else {
		_, err = io.WriteString(env.Stdout, col.table(rows))
	}
	if err != nil || !check {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return col.check(ctx, rows[0].Registry)
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
		return cmp.Or(err, errors.New("nothing is stored"))
	}
	return errors.New(d.Program() + " has no login for it")
}

// checkIdentity looks for a token first, and for a login only where there is no token, so
// that the keyring is read once.
func (c collector) checkIdentity(ctx context.Context, host registry.Host, id identity.Identity) error {
	if id.IsStatic() {
		_, err := c.vault.Secret(ctx, *id.Login)
		return err
	}
	if id.IsAnonymous() || id.Detected {
		_, err := c.vault.CachedToken(ctx, host, vault.StoredToken)
		switch {
		case err == nil, id.Kind == identity.Anonymous: // anonymous access needs nothing
			return nil
		case id.Kind == identity.None:
			return noToken(err, "not signed in, and no token is stored")
		}
	}
	_, err := c.vault.CachedToken(ctx, host, id)
	if err == nil {
		return nil
	}
	if _, _, failure := c.vault.Peek(host, id); failure != nil {
		return failure // which clients get too, as long as it is shared
	}
	if id.Login != nil {
		_, err = c.vault.Secret(ctx, *id.Login)
		return err
	}
	return noToken(err, fmt.Sprintf("no token of %s is cached", id))
}

// noToken replaces the error for no token.
func noToken(err error, message string) error {
	if errors.Is(err, vault.ErrNoToken) {
		return errors.New(message)
	}
	return err
}
