// Package unlock is the command that has the OS keyring unlocked.
package unlock

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
)

// patience is how long somebody may take to type a password.
const patience = 2 * time.Minute

// Command is unlock.
func Command(d desk.Desk) *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "unlock the OS keyring, by its own dialog",
		Long: `Have the OS keyring ask for its password, because what clients run never
prompts: with a locked keyring they work without what is sealed. It waits two
minutes. The password goes to the keyring alone.`,
		Example: "  " + desk.Program + " unlock",
		Args:    desk.Exactly(0, "no arguments"),
		RunE:    func(c *cobra.Command, _ []string) error { return run(c.Context(), d) },
	}
}

func run(ctx context.Context, d desk.Desk) error {
	rooms, err := d.Open()
	if err != nil {
		return desk.About(what, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	already, err := rooms.Keyring.Unlock(ctx, func() {
		fmt.Fprintln(d.Stderr, "waiting for you to type the keyring's password into its own dialog (two minutes at most)")
	})
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return desk.About(what, errors.New("nobody has answered its dialog within two minutes"))
	case err != nil:
		return desk.About(what, err)
	case already:
		fmt.Fprintln(d.Stdout, "the OS keyring is open already")
	default:
		fmt.Fprintln(d.Stdout, "the OS keyring is open")
	}
	return nil
}

// what failures are about.
const what = "unlocking the OS keyring"
