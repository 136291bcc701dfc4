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
		"only this client: docker, or podman (with Skopeo and Buildah); otherwise all that are installed")
	_ = c.RegisterFlagCompletionFunc("client",
		cobra.FixedCompletions([]string{docker, podman}, cobra.ShellCompDirectiveNoFileComp))
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would change, and write nothing")
}

// Command returns the command configure.
func Command(e cmdutil.Env) *cobra.Command {
	var f flags
	c := &cobra.Command{
		Use:   "configure [REGISTRY…]",
		Short: "name this helper in the files of Docker and Podman",
		Long: `Name this helper in Docker's config.json and Podman's auth.json for the
registries that are named, or with --all-registries for every registry there is.
What changes is shown, without secrets. Everything else in the files stays as it
is; nothing is written if another helper is configured.`,
		Example: cmdutil.Examples("configure contoso.azurecr.io", "configure --all-registries --client podman --dry-run"),
	}
	f.addTo(c, e)
	c.Flags().BoolVar(&f.all, "all-registries", false, "answer for every registry, and store the logins of all")
	c.Flags().BoolVar(&f.force, "force", false, "replace another helper")
	c.Flags().BoolVar(&f.migratePlaintext, "migrate-plaintext", false,
		"delete plaintext credentials; those that may be needed are moved to this helper")
	return c
}

// UndoCommand returns the command unconfigure.
func UndoCommand(e cmdutil.Env) *cobra.Command {
	f := flags{undo: true}
	c := &cobra.Command{
		Use:   "unconfigure [REGISTRY…]",
		Short: "remove this helper from the files of Docker and Podman",
		Long: `Remove this helper from Docker's and Podman's files: for the registries that are
named, with --all-registries for what "configure --all-registries" wrote,
without either wherever it is named. What names another helper stays.`,
		Example: cmdutil.Examples("unconfigure contoso.azurecr.io"),
	}
	f.addTo(c, e)
	c.Flags().BoolVar(&f.all, "all-registries", false, `undo "configure --all-registries" only`)
	return c
}

// run plans everything before it writes anything, so that what prevents one change
// prevents all.
func run(e cmdutil.Env, f flags, args []string) error {
	if len(args) == 0 && !f.all && !f.undo {
		return cmdutil.UsageErrorf("name one or more registries, or use --all-registries")
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
			p.Notef("%s: %s", client, found)
		}
		if err := planClient(client); err != nil {
			return err
		}
	}
	changed, err := p.apply()
	for _, note := range p.notes {
		p.Notef("%s", note)
	}
	if err == nil && changed {
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
			return nil, cmdutil.UsageErrorf("%w; for other registries, use --all-registries", err)
		case err != nil:
			return nil, err
		case strings.Contains(target, "*"):
			return nil, cmdutil.UsageErrorf(
				"Docker and Podman don't support patterns such as %s: name each registry, or use --all-registries", target)
		}
		hosts = append(hosts, target)
	}
	return hosts, nil
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
