package configure

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// titles are the names of the clients.
var titles = map[string]string{docker: "Docker", podman: "Podman"}

// clientNames names the clients of the run: "Docker and Podman".
func (p *plan) clientNames() string {
	var names []string
	for _, client := range slices.Sorted(maps.Keys(p.clients)) {
		names = append(names, titles[client])
	}
	return strings.Join(names, " and ")
}

// forWhat says for which registries something was changed.
func (p *plan) forWhat() string {
	if p.all || len(p.hosts) == 0 {
		return "all registries"
	}
	return strings.Join(p.hosts, ", ")
}

// printNext prints the command to run next: a sign-in to the first registry without an
// identity, or a pull.
func (p *plan) printNext() {
	for _, name := range p.hosts {
		host, _ := p.app.Clouds.ParseHost(name)
		if id, err := p.app.Select(host); err != nil || id.Kind == identity.None {
			p.Resultf("Next: %s login %s", cmdutil.Program, name)
			return
		}
	}
	p.noteIdentities()
	client := podman
	if p.hasClient(docker) {
		client = docker
	}
	p.Resultf("Next: %s pull %s/IMAGE", client, p.hosts[0])
}

// noteIdentities says who signs in to which tenant, since that may be the wrong one.
func (p *plan) noteIdentities() {
	var identities []string
	names := map[string][]string{}
	for _, name := range p.hosts {
		host, _ := p.app.Clouds.ParseHost(name)
		id := p.app.Current(host)
		if p.StdoutIsTerminal {
			id = screen.Shorten(id)
		}
		if id != "" && names[id] == nil {
			identities = append(identities, id)
		}
		names[id] = append(names[id], name)
	}
	for _, id := range identities {
		p.Note(fmt.Sprintf("%s: you sign in as %s", strings.Join(names[id], ", "), id))
	}
}

// noteAfterConfigure says what was done and what comes next, and warns of podman login:
// unless a helper is set for all registries, it writes to the first of its files whatever
// the others have.
func (p *plan) noteAfterConfigure() {
	p.Markf(screen.OK, "%s can now use %s for %s", p.clientNames(), cmdutil.Program, p.forWhat())
	if len(p.hosts) > 0 {
		p.printNext()
	}
	if !p.all && len(p.paths.Auth) > 1 && p.hasClient(podman) {
		p.Notef("podman: to sign in, use %s login; podman login would store a plaintext credential in %s",
			cmdutil.Program, p.paths.Auth[0])
	}
}

// noteAfterUnconfigure names what unconfigure leaves: Docker's file, which Podman reads
// too, and the stored logins.
func (p *plan) noteAfterUnconfigure() {
	p.Markf(screen.OK, "%s is no longer used by %s for %s", cmdutil.Program, p.clientNames(), p.forWhat())
	contents, _ := p.files.Read(p.paths.Docker)
	names := contents.OwnNames()
	if len(names) > 0 && !p.hasClient(docker) && slices.Contains(p.paths.Search, p.paths.Docker) {
		p.Notef("podman: still uses this helper for %s: see %s", dockerconfig.RedactKeys(names...), p.paths.Docker)
	}
	s := p.app.Vault.Open()
	defer s.Close()
	entries, _ := s.Entries()
	if slices.ContainsFunc(entries, func(e vault.Entry) bool { return !e.IsToken && e.HasSecret() }) {
		p.Notef("the logins stored in this helper remain (see: %s status)", cmdutil.Program)
	}
}
