// Package config is the command that checks a config file before it is rolled out.
package config

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
)

// Command returns the command config.
func Command(env cmdutil.Env) *cobra.Command {
	c := &cobra.Command{
		Use: "config COMMAND", Short: "Check the config file",
		Long:                  "Work with the config file, config.json.",
		Example:               cmdutil.Examples("Check a config file before you roll it out", "config check config.json"),
		DisableFlagsInUseLine: true, Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			return cmdutil.UsageErrorf("config has one command: check; see: %s --help", c.CommandPath())
		},
	}
	c.AddCommand(check(env))
	return c
}

func check(env cmdutil.Env) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "check [FILE]", Short: "Check a config file",
		Long: `Check a config file, and print each problem with its line and column.

Without an argument, it checks the config files that are used here: the user's
and the computer's. With a wrong entry, the helper refuses the registries that
it matches; with any other mistake, it refuses every registry.

The exit status is 0 if nothing is wrong, 1 if something is, and 2 for a usage
error. No network is used.`,
		Example: cmdutil.Examples(
			"Check a config file before you roll it out", "config check config.json",
			"Check the config files of this computer", "config check",
			"Print JSON for scripts", "config check config.json --json"),
		Args: cmdutil.Args(0, 1, "FILE"),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return report(env, args[0], args, config.Check(args[0]), asJSON)
		}
		return env.Run("config check", func(_ context.Context, a *app.App, _ []string) error {
			return report(env, "config check", a.Config.Paths(), a.Config.Problems(), asJSON)
		})(c, args)
	}
	c.Flags().BoolVar(&asJSON, "json", false, "Print JSON")
	return c
}

// A Report is what config check --json prints. Fields are only ever added.
type Report struct {
	// Files are the files that were checked.
	Files []string `json:"files"`
	// Problems are in the order of files and lines; empty if nothing is wrong.
	Problems []Problem `json:"problems"`
}

// A Problem is something wrong in a file.
type Problem struct {
	File string `json:"file"`
	// Line and Column are counted from 1, in characters; absent where the file as a whole is
	// wrong.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
	// Registry is the host or pattern of the wrong entry, whose registries are refused; absent
	// where every registry is refused.
	Registry string `json:"registry,omitempty"`
	// Error says what is wrong, Suggestion what may be meant, where that is known.
	Error      string `json:"error"`
	Suggestion string `json:"suggestion,omitempty"`
}

// report prints the problems, which are an error about subject.
func report(env cmdutil.Env, subject string, files []string, problems []config.Problem, asJSON bool) error {
	if asJSON {
		r := Report{Files: append([]string{}, files...), Problems: []Problem{}}
		for _, p := range problems {
			r.Problems = append(r.Problems, Problem{p.Path, p.Line, p.Column, p.Pattern, p.Reason, p.Suggestion})
		}
		if err := env.PrintJSON(r); err != nil {
			return err
		}
	} else {
		printAll(env, files, problems)
	}
	if n := len(problems); n > 0 {
		return cmdutil.About(subject, fmt.Errorf("%d problem%s", n, strings.Repeat("s", min(n-1, 1))))
	}
	return nil
}

func printAll(env cmdutil.Env, files []string, problems []config.Problem) {
	for _, p := range problems {
		where, affected := p.Path, "every registry"
		if p.Line > 0 {
			where = fmt.Sprintf("%s:%d:%d", p.Path, p.Line, p.Column) // editors and CI systems know this form
		}
		if p.Pattern != "" {
			affected = p.Pattern
		}
		env.Markf(screen.Problem, "%s: %s (affects %s)", where, p.Message(), affected)
	}
	switch {
	case len(problems) > 0:
	case len(files) == 0:
		env.Markf(screen.OK, "no config file, and none is needed")
	default:
		env.Markf(screen.OK, "%s: no problems", strings.Join(files, ", "))
	}
}
