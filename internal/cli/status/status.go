// Package status is the command that says who one is to which registry.
package status

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
)

// Command is status.
func Command(d desk.Desk) *cobra.Command {
	var asJSON, check bool
	c := &cobra.Command{
		Use:   "status [REGISTRY|PATTERN]",
		Short: "say who one is to which registry, why, and for how long",
		Long: `Say for each registry that something is known about (logins, kept tokens, the
config file, and what clients' files name this helper for), or for the one that
is named, who one is, where that choice comes from, how long the token lives,
when it is renewed, and where the key lies that it is sealed with. It needs
neither network nor keyring.

With --check it opens what is stored for the registry: one read of the keyring,
no network. It ends with 0 if there is a living token or a login that opens, or
the registry is to be left alone; else with 1.`,
		Example: "  " + desk.Program + " status\n" +
			"  " + desk.Program + " status contoso.azurecr.io --json\n" +
			"  " + desk.Program + " status contoso.azurecr.io --check || echo sign in first",
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return mistype.Errorf("status takes one REGISTRY or PATTERN; see: %s --help", c.CommandPath())
			case check && (len(args) == 0 || strings.Contains(args[0], "*")):
				return mistype.Errorf("status --check takes a REGISTRY; see: %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			about := c.Name()
			if len(args) > 0 {
				about = args[0]
			}
			return desk.About(about, run(c.Context(), d, args, asJSON, check))
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&check, "check", false, "end with 0 only if what is stored for REGISTRY can be used")
	return c
}

func run(ctx context.Context, d desk.Desk, args []string, asJSON, check bool) error {
	rooms, err := d.Open()
	if err != nil {
		return err
	}
	// Entries for clouds that can't be read are errors of their rows.
	clouds, _ := rooms.Identities.Config.Clouds()
	places, _ := clientconfig.FindPlaces(d.Getenv) // without a home there are none
	s := survey{rooms: rooms, clouds: clouds, places: places, now: d.Now()}
	rows, err := s.rows(args)
	if err != nil {
		return err
	}
	if asJSON {
		encoder := json.NewEncoder(d.Stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(Report{rows})
	} else {
		err = s.print(d.Stdout, rows)
	}
	if err != nil || !check {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	return s.check(ctx, rows[0].Registry)
}

// checkTimeout is above what the keyring is given.
const checkTimeout = 10 * time.Second
