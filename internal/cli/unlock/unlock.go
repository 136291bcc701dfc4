// Package unlock is the command that unlocks the OS keyring.
package unlock

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
)

// timeout is how long a user may take to type a password.
const timeout = 2 * time.Minute

// Command returns the command unlock.
func Command(env cmdutil.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Unlock the OS keyring",
		Long: `Unlock the OS keyring, with the keyring's own dialog.

While the keyring is locked, stored logins can't be used. A pull does not show
the dialog (on macOS, it may for two seconds). This command shows it and waits
for up to two minutes. Only the keyring sees the password.

On macOS over SSH, run instead: security unlock-keychain`,
		Example: cmdutil.Examples("Unlock the keyring, and check it", "unlock && \\\n    "+cmdutil.Program+" doctor"),
		Args:    cmdutil.Args(0, 0, "no arguments"),
		RunE: env.Run("unlock", func(ctx context.Context, a *app.App, _ []string) error {
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
		env.Notef("waiting for the password in the keyring's dialog (two minutes at most)")
	})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return errors.New("no password was entered within two minutes")
	case err != nil:
		return err
	case already:
		env.Markf(screen.OK, "the OS keyring is already unlocked")
	default:
		env.Markf(screen.OK, "the OS keyring is unlocked")
	}
	return nil
}
