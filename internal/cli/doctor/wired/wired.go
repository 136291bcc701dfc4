// Package wired says whether Docker, Podman and their like ask this helper at all, and
// which of their files has it so.
package wired

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/finding"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// ours is what clients call us.
const ours = clientconfig.Helper

// Clients are Docker, Podman and their like, by what one needs to read their files as
// they do.
type Clients struct {
	clientconfig.Places
	// Missing says why they can't be looked for; nil if they can.
	Missing error
	// Clouds know which names are Azure's.
	Clouds registry.Clouds
	// Getenv reads the environment.
	Getenv func(string) string
	// Find looks a program up on the PATH; "" if it isn't there.
	Find func(program string) (path string)
}

// Estate says for which registries anybody asks us at all.
func (c Clients) Estate() finding.Finding {
	if c.Missing != nil {
		return finding.Fail(finding.CodeHomeless, "%v", c.Missing)
	}
	var facts []string
	for _, path := range c.read() {
		r, err := read(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return finding.Fail(finding.CodeUnreadable, "%s: %v", path, err)
		}
		names := r.Named()
		for i, name := range names {
			if host, err := c.Clouds.ParseHost(name); err == nil && host.String() != name || strings.Contains(name, "*") {
				return misnamed(path, name, "a registry")
			}
			names[i] = clientconfig.Shown(name)
		}
		if r.Store == ours && path == c.Places.Docker {
			names = append(names, "every registry (credsStore)")
		}
		if len(names) > 0 {
			facts = append(facts, strings.Join(names, ", ")+" in "+path)
		}
	}
	helpers, conf, err := c.EveryRegistry()
	switch {
	case !c.hasPodman():
	case err != nil:
		return finding.Fail(finding.CodeUnreadable, "%v", err)
	case slices.Contains(helpers, ours):
		facts = append(facts, "every registry (credential-helpers) in "+conf)
	}
	if len(facts) == 0 {
		return finding.Fail(finding.CodeNotWired, "no file of Docker's or Podman's names the helper").Replace(" --client docker", "")
	}
	return finding.OK("%s", strings.Join(facts, "; "))
}

// read are the files that whoever is here reads.
func (c Clients) read() []string {
	if c.hasPodman() {
		return c.Files()
	}
	return []string{c.Places.Docker}
}

// misnamed is about a name that no client looks up.
func misnamed(path, name, meant string) finding.Finding {
	name = clientconfig.Shown(name)
	return finding.Fail(finding.CodeKey, "credHelpers in %s names %q, which no client takes for %s", path, name, meant).Replace("NAME", hint.Quoted(name))
}

func (c Clients) hasPodman() bool {
	return slices.ContainsFunc([]string{"podman", "skopeo", "buildah"}, func(name string) bool { return c.Find(name) != "" })
}

// read reads a client's file; fs.ErrNotExist for one that isn't there.
func read(path string) (clientconfig.Reading, error) {
	f, err := atomicfile.Read(path)
	if err == nil && !f.Exists {
		err = fs.ErrNotExist
	}
	if err != nil {
		return clientconfig.Reading{}, err
	}
	return clientconfig.Read(f.Text)
}

// Docker looks where Docker, Compose, BuildKit, Helm, crane and others look.
func (c Clients) Docker(host registry.Host) finding.Finding {
	f := c.docker(host)
	if f.Status == finding.Failed && f.Code != finding.CodeUnreadable && c.Podman(host).Status == finding.Okay {
		f.Status = finding.Warned // Docker is then perhaps not what is used here
	}
	return f.About(host.String())
}

func (c Clients) docker(host registry.Host) finding.Finding {
	if c.Missing != nil {
		return finding.Fail(finding.CodeHomeless, "%v", c.Missing)
	}
	path := c.Places.Docker
	r, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.Find("docker") == "" && c.hasPodman():
		return finding.Skip("no docker on the PATH, and no %s", path)
	case errors.Is(err, fs.ErrNotExist):
		return finding.Fail(finding.CodeNotWired, "%s does not exist", path)
	case err != nil:
		return finding.Fail(finding.CodeUnreadable, "%s: %v", path, err)
	}
	helper, named := r.Helpers[host.String()]
	by := "credHelpers"
	if !named {
		helper, by = r.Store, "credsStore"
	}
	switch {
	case helper == ours && c.leftover(r, host):
		return finding.Warn(finding.CodeLeftover, "%s in %s, and beside it a secret in clear in auths, of no use to Docker", by, path)
	case helper == ours:
		return finding.OK("%s in %s", by, path)
	case named && helper == "":
		return finding.Fail(finding.CodeOther, "credHelpers in %s names no helper for %s, so that none is asked", path, host)
	case c.nearly(r, host) != "":
		return misnamed(path, c.nearly(r, host), host.String())
	case helper == "" && c.leftover(r, host):
		return finding.Fail(finding.CodeNotWired, "%s does not name the helper, and has a secret in clear in auths", path)
	case helper == "":
		return finding.Fail(finding.CodeNotWired, "%s does not name the helper for %s", path, host)
	}
	return finding.Fail(finding.CodeOther, "%s in %s says %q, so that docker-credential-%[3]s is asked", by, path, helper)
}

// leftover says whether a secret for the registry lies in a file in clear.
func (c Clients) leftover(r clientconfig.Reading, host registry.Host) bool {
	return slices.ContainsFunc(r.Logins, func(l clientconfig.Login) bool { return c.meant(l.Server, host) })
}

// meant says whether a name in a file means the registry, however it is spelled.
func (c Clients) meant(name string, host registry.Host) bool {
	named, err := c.Clouds.ParseHost(strings.TrimPrefix(name, "http://"))
	return err == nil && named.String() == host.String()
}

// nearly finds a key that means the registry, and that no client takes for it.
func (c Clients) nearly(r clientconfig.Reading, host registry.Host) string {
	for _, name := range r.Named() {
		if name != host.String() && (c.meant(name, host) || registry.Matches(name, host)) {
			return name
		}
	}
	return ""
}

// DockerEnv looks at what goes before every file (docker/cli since 29).
func (c Clients) DockerEnv(host registry.Host) finding.Finding {
	value := c.Getenv("DOCKER_AUTH_CONFIG")
	if value == "" {
		return finding.OK("DOCKER_AUTH_CONFIG is not set")
	}
	servers, err := clientconfig.Variable(value)
	switch {
	case err != nil:
		return finding.Warn(finding.CodeAuthConfig, "DOCKER_AUTH_CONFIG is set, and Docker passes over it, because %v", err)
	case slices.Contains(servers, host.String()):
		return finding.Warn(finding.CodeAuthConfig, "DOCKER_AUTH_CONFIG answers for %s before any helper does", host)
	}
	return finding.OK("DOCKER_AUTH_CONFIG is set, and does not name %s", host)
}

// Podman looks where Podman, Skopeo and Buildah look.
func (c Clients) Podman(host registry.Host) finding.Finding {
	if !c.hasPodman() {
		return finding.Skip("no podman, skopeo or buildah on the PATH")
	}
	if c.Missing != nil {
		return finding.Fail(finding.CodeHomeless, "%v", c.Missing)
	}
	return c.podman(host).About(host.String())
}

// podman goes through the sources of credentials in Podman's order: the first that
// has something for the registry wins.
func (c Clients) podman(host registry.Host) finding.Finding {
	helpers, conf, err := c.EveryRegistry()
	if err != nil {
		return finding.Warn(finding.CodePodmanBroken, "%v", err)
	}
	for _, helper := range helpers {
		if helper == ours {
			return finding.OK("credential-helpers in %s, for every registry", conf)
		}
		if helper != clientconfig.AuthFiles {
			continue // it may have nothing for the registry
		}
		for _, path := range c.Places.Search {
			if f, wins := c.podmanFile(path, host); wins {
				return f
			}
		}
	}
	return finding.Warn(finding.CodePodmanWiring, "no file names the helper; looked for %s", strings.Join(c.Places.Search, ", "))
}

// podmanFile says whether a file settles the matter. In it, a helper goes before
// what stands in clear; credsStore counts for nothing.
func (c Clients) podmanFile(path string, host registry.Host) (found finding.Finding, wins bool) {
	r, err := read(path)
	helper, named := r.Helpers[host.String()]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding.Finding{}, false
	case err != nil:
		return finding.Warn(finding.CodePodmanBroken, "%s: %v", path, err), true
	case r.Empty:
		return finding.Warn(finding.CodePodmanBroken, "%s is empty, which Podman can't read", path), true
	case helper == ours:
		return finding.OK("credHelpers in %s", path), true
	case named:
		return finding.Warn(finding.CodePodmanOther, "credHelpers in %s says %q, so that docker-credential-%[2]s is asked", path, helper), true
	case slices.ContainsFunc(r.Logins, func(l clientconfig.Login) bool { return l.IsFor(host.String()) }):
		return finding.Warn(finding.CodePodmanBefore, "%s has a secret for %s in clear, which wins over helpers in later files", path, host), true
	}
	return finding.Finding{}, false
}
