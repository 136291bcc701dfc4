// Package unlock is the command that unlocks the OS keyring.
package unlock

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
)

// timeout is how long a user may take to type a password.
const timeout = 2 * time.Minute

// Command returns the command unlock.
func Command(env cmdutil.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "unlock the OS keyring, with its own dialog",
		Long: `Ask the OS keyring to unlock. Docker never triggers this prompt: while the
keyring is locked, stored logins can't be used. It waits two minutes. Only the
keyring sees the password.`,
		Example: cmdutil.Examples("unlock"),
		Args:    cmdutil.Args(0, 0, "no arguments"),
		RunE: env.Run("unlocking the OS keyring", func(ctx context.Context, a *app.App, _ []string) error {
			return unlock(ctx, env, a.Keys)
		}),
	}
}

// unlock has a timeout of its own, because a dialog waits forever on a screen that is not
// looked at.
func unlock(ctx context.Context, env cmdutil.Env, keys *keystore.Store) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	already, err := keys.Unlock(ctx, func() {
		env.Notef("waiting for you to type the keyring's password into its dialog (two minutes at most)")
	})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("no password was typed within two minutes")
	case err != nil:
		return err
	case already:
		env.Resultf("the OS keyring is already unlocked")
	default:
		env.Resultf("the OS keyring is unlocked")
	}
	return nil
}
