package configure

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig/edit"
)

// A plan is what one run of a command works on, and what it is going to change.
type plan struct {
	cmdutil.Env
	flags
	app     *app.App
	hosts   []string
	paths   dockerconfig.Paths
	clients map[string]string // with how they were found
	files   edit.Files
	toStore []plaintext
	notes   []string // printed at the end, where users read them
}

// configure plans to name this helper in a client's files.
func (p *plan) configure(client string) error {
	if !p.isOnPath(cmdutil.Program) {
		p.Notef("%s: %s is not on the PATH, so %s can't run it", client, cmdutil.Program, titles[client])
	}
	if client == docker {
		return p.configureDocker()
	}
	return p.configurePodman()
}

func (p *plan) configureDocker() error {
	path := p.paths.Docker
	if err := p.askForNames(); err != nil {
		return err
	}
	if err := p.setHelper(path); err != nil {
		return err
	}
	if p.all {
		set := func(text []byte) ([]byte, error) { return edit.SetStore(text, p.force) }
		if err := p.files.Edit(path, set); err != nil {
			return err
		}
		p.warnOfOtherHelpers()
	}
	p.warnOfAuthVariable()
	if err := p.migrate(docker, path); err != nil {
		return err
	}
	return p.migrateOthers()
}

// needNames says what a setting for every registry lacks.
const needNames = "Clients that first ask for the list of registries (docker build without BuildKit, regctl, " +
	"testcontainers) find a registry only after another client has used it, unless Docker's file names it"

// askForNames offers to name registries as well where the run is about every registry.
func (p *plan) askForNames() error {
	if contents, _ := p.files.Read(p.paths.Docker); !p.all || len(p.hosts) > 0 || len(contents.OwnNames()) > 0 {
		return nil
	}
	if !p.canAsk() {
		p.notes = append(p.notes, fmt.Sprintf("docker: %s. To name yours, run: %s configure REGISTRY --all-registries",
			needNames, cmdutil.Program))
		return nil
	}
	p.Note(needNames + ".")
	answer, _ := p.AskLine("Registries to name (Enter for none): ") // no answer is none
	names := strings.FieldsFunc(answer, func(r rune) bool { return r == ' ' || r == ',' })
	for i := range names {
		names[i] = cmdutil.WithDomain(names[i])
	}
	hosts, err := p.parseHosts(names)
	p.hosts = hosts
	return err
}

// migrateOthers is about the clients that read Docker's file, but prefer logins of their own.
func (p *plan) migrateOthers() error {
	for _, name := range p.paths.RegctlHosts() {
		if host, err := p.app.Clouds.ParseHost(name); err == nil && p.isConfigured(host) {
			p.notes = append(p.notes, fmt.Sprintf("%s has a plaintext credential for %s, which regctl uses instead of this "+
				"helper. Run: regctl registry logout %[2]s", p.paths.Regctl, host))
		}
	}
	if _, err := p.files.Read(p.paths.Helm); err != nil {
		p.notes = append(p.notes, "helm: "+err.Error())
		return nil
	}
	return p.migrate(helm, p.paths.Helm)
}

// configurePodman names this helper in the last of Podman's files, and in others only
// where they name another helper, which would take precedence.
func (p *plan) configurePodman() error {
	if skipped := p.paths.Inaccessible; skipped != "" {
		p.Notef("podman: skipped %s (permission denied); "+
			"if Podman uses another runtime directory, set XDG_RUNTIME_DIR", skipped)
	}
	last := len(p.paths.Auth) - 1
	for i, path := range p.paths.Auth {
		contents, err := p.files.Read(path)
		if i != last && err == nil && !slices.ContainsFunc(p.hosts, contents.HasHelper) {
			continue
		}
		if err := p.setHelper(path); err != nil {
			return err
		}
	}
	if p.all {
		if err := p.setDropIn(); err != nil {
			return err
		}
	}
	return p.migrate(podman, p.paths.Auth...)
}

// setHelper plans to name this helper in a file for each of the registries, and to remove
// it under other spellings, which no client looks up.
func (p *plan) setHelper(path string) error {
	for _, host := range p.hosts {
		set := func(text []byte) ([]byte, error) {
			text, err := edit.SetHelper(text, host, p.force)
			if err != nil {
				return nil, err
			}
			return edit.UnsetHelper(text, func(name string) bool { return name != host && p.means(name, host) })
		}
		if err := p.files.Edit(path, set); err != nil {
			return err
		}
	}
	return nil
}

// means reports whether a name in a file means a registry, in any spelling.
func (p *plan) means(name, host string) bool {
	parsed, err := p.app.Clouds.ParseHost(name)
	return name == host || err == nil && parsed.String() == host
}

// setDropIn plans to name this helper in registries.conf.d for every registry.
func (p *plan) setDropIn() error {
	path := p.paths.DropIn
	isNeeded, err := p.paths.NeedsDropIn(p.force)
	if err != nil || !isNeeded {
		return cmdutil.About(path, err)
	}
	set := func(text []byte) ([]byte, error) { return edit.SetDropIn(text, p.force) }
	if err := p.files.Edit(path, set); err != nil {
		return err
	}
	if p.paths.DropInIsMachineWide() {
		p.Notef("podman: %s is for all users of this computer: each needs %s on the PATH", path, cmdutil.Program)
	}
	d, err := p.files.Open(path)
	if err == nil && !d.Exists {
		d.Mode = 0o644 // it has no secret, and in /etc Podman would fail for users who can't read it
	}
	return err
}

// unconfigure plans to remove this helper from a client's files: for the registries, for
// all registries, or both.
func (p *plan) unconfigure(client string) error {
	files := p.paths.Auth
	if client == docker {
		files = []string{p.paths.Docker}
	}
	if p.all && len(p.hosts) == 0 {
		files = nil
	}
	for _, path := range files {
		if err := p.files.Edit(path, p.unsetHelper); err != nil {
			return err
		}
	}
	switch {
	case len(p.hosts) > 0 && !p.all:
		return nil
	case client == docker:
		return p.files.Edit(p.paths.Docker, edit.UnsetStore)
	}
	return p.removeDropIns()
}

// unsetHelper removes the entries of a text that name this helper for the registries;
// without registries, all of them.
func (p *plan) unsetHelper(text []byte) ([]byte, error) {
	return edit.UnsetHelper(text, func(name string) bool {
		return len(p.hosts) == 0 || slices.ContainsFunc(p.hosts, func(host string) bool { return p.means(name, host) })
	})
}

// removeDropIns deletes our drop-in files: root's may be in two directories.
func (p *plan) removeDropIns() error {
	for _, path := range p.paths.DropInPaths() {
		if err := p.files.Edit(path, edit.UnsetDropIn); err != nil {
			return err
		}
		if d, err := p.files.Open(path); err == nil && d.Next != nil {
			p.Notef("%s was edited, so it was not removed", path)
		}
	}
	return nil
}

// apply shows what changes, stores the credentials, and then writes the files.
func (p *plan) apply() (changed bool, err error) {
	drafts := p.files.Changed()
	for _, d := range drafts {
		_ = p.PrintDiff(d.Diff())
	}
	switch {
	case len(drafts)+len(p.toStore) == 0:
		p.Notef("nothing to change")
	case p.dryRun:
		p.Notef("dry run: nothing was written")
	default:
		err = p.files.Write(p.store, func(d *edit.Draft) {
			done := "wrote"
			if d.Next == nil {
				done = "removed"
			}
			p.Notef("%s %s", done, d.Path)
		})
	}
	return len(drafts) > 0, err
}

// warnOfOtherHelpers names the Azure registries that keep another helper, since Docker
// looks in credHelpers first.
func (p *plan) warnOfOtherHelpers() {
	contents, _ := p.files.Read(p.paths.Docker) // migrate reports the error
	for _, server := range slices.Sorted(maps.Keys(contents.Helpers)) {
		host, err := p.app.Clouds.ParseHost(server)
		if helper := contents.Helpers[server]; err == nil && helper != dockerconfig.Helper {
			p.Notef("%s still uses %s for %s; to change that, run: %s configure %s --client docker --force",
				p.paths.Docker, cmp.Or(helper, "no helper"), host, cmdutil.Program, host)
		}
	}
}
