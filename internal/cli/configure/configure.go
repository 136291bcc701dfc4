// Package configure has the commands that name this helper in the files of Docker and
// Podman, and that undo it. A run plans all changes, asks about plaintext credentials,
// and then writes all files or none.
package configure

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig/edit"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

// The clients, as --client names them.
const (
	docker = "docker"
	podman = "podman"
	// helm reads Docker's file too, so only its own logins are of interest.
	helm = "helm"
)

// flags are the values of the commands' flags.
type flags struct {
	client             string
	all, dryRun, force bool
	migratePlaintext   bool
	undo               bool // the command is unconfigure
}

// addTo adds what both commands have.
func (f *flags) addTo(c *cobra.Command, e cmdutil.Env) {
	c.RunE = func(c *cobra.Command, args []string) error {
		err := run(e, *f, args)
		if failed, ok := errors.AsType[*edit.Error](err); ok {
			err = cmdutil.About(failed.Path, failed.Err)
		}
		return cmdutil.About(c.Name(), err)
	}
	c.Flags().StringVar(&f.client, "client", "",
		"Only this `CLIENT`: docker, or podman, which includes Skopeo and Buildah (default: all that are installed)")
	_ = c.RegisterFlagCompletionFunc("client",
		cobra.FixedCompletions([]string{docker, podman}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "Show what would change, and write nothing")
}

// Command returns the command configure.
func Command(e cmdutil.Env) *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "configure [REGISTRY…]",
		Short: "Configure Docker and Podman to use this helper",
		Long: `Configure Docker and Podman to use this helper for some or all registries.

It edits Docker's config.json and Podman's auth.json (for all registries also
registries.conf.d), and shows what changes, without secrets. Everything else in
the files stays as it is. If another helper is configured for a registry,
nothing is written without --force.`,
		Example: cmdutil.Examples(
			"Use this helper for a registry", "configure contoso.azurecr.io",
			"Show what would change", "configure contoso.azurecr.io --dry-run",
			"Move the credentials that docker login stored as plaintext",
			"configure contoso.azurecr.io --migrate-plaintext",
			"Use this helper for every registry, only with Podman", "configure --all-registries --client podman"),
	}
	f.addTo(c, e)
	c.Flags().BoolVar(&f.all, "all-registries", false, "Use this helper for every registry, and store all logins in it")
	c.Flags().BoolVar(&f.force, "force", false, "Replace another helper")
	c.Flags().BoolVar(&f.migratePlaintext, "migrate-plaintext", false,
		"Delete plaintext credentials from the files; those that are still needed are stored in this helper first")
	return c
}

// UndoCommand returns the command unconfigure.
func UndoCommand(e cmdutil.Env) *cobra.Command {
	f := flags{undo: true}
	c := &cobra.Command{
		Use:   "unconfigure [REGISTRY…]",
		Short: "Undo configure",
		Long: `Remove this helper from the files of Docker and Podman.

Without an argument, it is removed for all registries. Other helpers stay.
Stored logins stay, too: to delete them, run "docker-credential-acr logout".`,
		Example: cmdutil.Examples(
			"Stop using this helper for a registry", "unconfigure contoso.azurecr.io",
			"Stop using this helper", "unconfigure",
			"Show what would change", "unconfigure --dry-run"),
	}
	f.addTo(c, e)
	c.Flags().BoolVar(&f.all, "all-registries", false, `Only undo "configure --all-registries"`)
	return c
}

// run plans everything before it writes anything, so that what prevents one change
// prevents all.
func run(e cmdutil.Env, f flags, args []string) error {
	if len(args) == 0 && !f.all && !f.undo {
		return cmdutil.UsageErrorf("specify one or more registries, or use --all-registries")
	}
	p, err := newPlan(e, f, args)
	if err != nil {
		return err
	}
	planClient, noteAfter := p.configure, p.noteAfterConfigure
	if p.undo {
		planClient, noteAfter = p.unconfigure, p.noteAfterUnconfigure
	}
	for _, client := range slices.Sorted(maps.Keys(p.clients)) {
		if found := p.clients[client]; found != "" {
			p.Notef("%s: found (%s)", client, found)
		}
		if err := planClient(client); err != nil {
			return err
		}
	}
	changed, err := p.apply()
	for _, note := range p.notes {
		p.Note(note)
	}
	if err == nil && changed && !p.dryRun {
		noteAfter()
	}
	return err
}

// newPlan reads the arguments, and finds the clients and their files.
func newPlan(e cmdutil.Env, f flags, args []string) (*plan, error) {
	a, err := e.Open()
	if err != nil {
		return nil, err
	}
	p := &plan{Env: e, flags: f, app: a}
	if p.paths, err = dockerconfig.FindPaths(a.Runner.Getenv); err != nil {
		return nil, err
	}
	if p.hosts, err = p.parseHosts(args); err != nil {
		return nil, err
	}
	p.clients, err = p.findClients()
	return p, err
}

// parseHosts parses the registries. unconfigure also accepts whatever name a file has.
func (p *plan) parseHosts(args []string) (hosts []string, err error) {
	if err := p.app.Config.Err(); err != nil && (len(args) > 0 || !p.undo) {
		return nil, err // it may define clouds, and a delegate for other registries
	}
	for _, typed := range args {
		target, _, err := cmdutil.ParseTarget(p.app.Clouds, typed)
		switch {
		case p.undo && slices.Contains(p.paths.ConfiguredNames(), typed):
			target = typed
		case err != nil && !p.undo:
			return nil, p.notAzure(typed)
		case err != nil:
			return nil, err
		case strings.Contains(target, "*"):
			return nil, cmdutil.UsageErrorf(
				"Docker and Podman don't support patterns such as %s: specify each registry, or use --all-registries", target)
		}
		hosts = append(hosts, target)
	}
	return hosts, nil
}

// notAzure is the error for a registry that only --all-registries can be for.
func (p *plan) notAzure(typed string) error {
	orWhat := "; to use this helper for every registry, run: " + cmdutil.Program + " configure --all-registries"
	if p.all {
		orWhat = ", and need not be named: --all-registries covers it"
	}
	return cmdutil.UnknownRegistry(p.app.Clouds, typed, orWhat)
}

// findClients returns the client that the user named, or those that are installed or have
// a file, with how they were found; "" where the user named it.
func (p *plan) findClients() (found map[string]string, err error) {
	podmanFiles := append(p.paths.DropInPaths(), p.paths.Auth...)
	found = map[string]string{
		docker: p.findClient([]string{docker}, []string{p.paths.Docker}),
		podman: p.findClient(dockerconfig.PodmanPrograms, podmanFiles),
	}
	maps.DeleteFunc(found, func(_, how string) bool { return how == "" })
	switch {
	case p.client == docker, p.client == podman:
		return map[string]string{p.client: ""}, nil
	case p.client != "":
		return nil, cmdutil.UsageErrorf("--client must be %s or %s", docker, podman)
	case len(found) == 0:
		return nil, cmdutil.UsageErrorf("no docker, podman, skopeo or buildah is on the PATH, and none of them has a file; " +
			"use --client docker or --client podman")
	}
	return found, nil
}

// findClient returns how a client was found; "" if it wasn't.
func (p *plan) findClient(programs, files []string) string {
	if i := slices.IndexFunc(programs, p.isOnPath); i >= 0 {
		return programs[i] + " is on the PATH"
	}
	for _, path := range files {
		if file, err := safefile.Open(path); err != nil || file.Exists {
			return path + " exists"
		}
	}
	return ""
}

func (p *plan) isOnPath(program string) bool { return p.app.Runner.Find(program) != "" }

// hasClient reports whether the run is about a client.
func (p *plan) hasClient(name string) bool {
	_, ok := p.clients[name]
	return ok
}
