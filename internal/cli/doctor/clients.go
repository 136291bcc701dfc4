package doctor

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// ours is what clients call us.
const ours = clientconfig.Helper

// checkWiring says for which registries anybody asks us at all.
func checkWiring(_ context.Context, e *exam) finding {
	if e.homeless != nil {
		return fail(codeNotWired, "%v", e.homeless)
	}
	var facts []string
	for _, path := range e.places.Files() {
		r, err := read(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fail(codeUnreadable, "%s: %v", path, err)
		}
		names := e.named(r)
		for _, name := range names {
			if host, err := e.clouds.ParseHost(name); err == nil && host.String() != name || strings.Contains(name, "*") {
				return fail(codeKey, "credHelpers in %s names %q, which no client takes for a registry", path, name)
			}
		}
		if r.Store == ours && path == e.places.Docker {
			names = append(names, "every registry (credsStore)")
		}
		if len(names) > 0 {
			facts = append(facts, strings.Join(names, ", ")+" in "+path)
		}
	}
	if helpers, conf := e.places.EveryRegistry(); slices.Contains(helpers, ours) {
		facts = append(facts, "every registry (credential-helpers) in "+conf)
	}
	if len(facts) == 0 {
		return fail(codeNotWired, "no file of Docker's or Podman's names the helper")
	}
	return ok("%s", strings.Join(facts, "; "))
}

// named are the registries that a file names us for, as it spells them.
func (e *exam) named(r clientconfig.Reading) []string {
	names := slices.Sorted(maps.Keys(r.Helpers))
	return slices.DeleteFunc(names, func(name string) bool { return r.Helpers[name] != ours })
}

// read reads a client's file; fs.ErrNotExist for one that isn't there.
func read(path string) (clientconfig.Reading, error) {
	f, err := clientconfig.ReadFile(path)
	if err == nil && !f.Exists {
		err = fs.ErrNotExist
	}
	if err != nil {
		return clientconfig.Reading{}, err
	}
	return clientconfig.Read(f.Text)
}

// checkDocker looks where Docker, Compose, BuildKit, Helm, crane and others look.
func checkDocker(_ context.Context, e *exam) finding {
	f := e.docker()
	if f.status == failed && f.code != codeUnreadable && e.podman().status == okay {
		f.status = warned // Docker is then perhaps not what is used here
	}
	return f.about(e.host.String())
}

// about fills the registry in.
func (f finding) about(host string) finding {
	f.hint = strings.ReplaceAll(f.hint, "REGISTRY", host)
	return f
}

func (e *exam) docker() finding {
	if e.homeless != nil {
		return fail(codeNotWired, "%v", e.homeless)
	}
	host, path := e.host.String(), e.places.Docker
	r, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(codeNotWired, "%s does not exist", path)
	case err != nil:
		return fail(codeUnreadable, "%s: %v", path, err)
	}
	helper, by := r.Helpers[host], "credHelpers"
	if helper == "" {
		helper, by = r.Store, "credsStore"
	}
	switch {
	case helper == ours && e.leftover(r):
		return warn(codeLeftover, "%s in %s, and beside it a secret in clear in auths, of no use to Docker", by, path)
	case helper == ours:
		return ok("%s in %s", by, path)
	case e.nearly(r) != "":
		return fail(codeKey, "credHelpers in %s names %q, which no client takes for %s", path, e.nearly(r), host)
	case helper == "" && e.leftover(r):
		return fail(codeNotWired, "%s does not name the helper, and has a secret in clear in auths", path)
	case helper == "":
		return fail(codeNotWired, "%s does not name the helper for %s", path, host)
	}
	return fail(codeOther, "%s in %s says %q, so that docker-credential-%[3]s is asked", by, path, helper)
}

// leftover says whether a secret for the registry lies in a file in clear.
func (e *exam) leftover(r clientconfig.Reading) bool {
	return slices.ContainsFunc(r.Logins, func(l clientconfig.Login) bool { return e.meant(l.Server) })
}

// meant says whether a name in a file means the registry, however it is spelled.
func (e *exam) meant(name string) bool {
	host, err := e.clouds.ParseHost(name)
	return err == nil && host.String() == e.host.String()
}

// nearly finds a key that means the registry, and that no client takes for it.
func (e *exam) nearly(r clientconfig.Reading) string {
	for _, name := range e.named(r) {
		if name != e.host.String() && (e.meant(name) || registry.Matches(name, e.host)) {
			return name
		}
	}
	return ""
}

// checkDockerEnv looks at what goes before every file (docker/cli since 29).
func checkDockerEnv(_ context.Context, e *exam) finding {
	value := e.Getenv("DOCKER_AUTH_CONFIG")
	if value == "" {
		return ok("DOCKER_AUTH_CONFIG is not set")
	}
	r, err := clientconfig.Read([]byte(value))
	switch {
	case err != nil:
		return warn(codeAuthConfig, "DOCKER_AUTH_CONFIG is set, and %v", err)
	case e.leftover(r):
		return warn(codeAuthConfig, "DOCKER_AUTH_CONFIG answers for %s before any helper does", e.host)
	}
	return ok("DOCKER_AUTH_CONFIG is set, and does not name %s", e.host)
}

// checkPodman looks where Podman, Skopeo and Buildah look.
func checkPodman(_ context.Context, e *exam) finding {
	here := func(name string) bool { return e.findProgram(name) != "" }
	if !slices.ContainsFunc([]string{"podman", "skopeo", "buildah"}, here) {
		return skip("no podman, skopeo or buildah on the PATH")
	}
	return e.podman().about(e.host.String())
}

// podman goes through the sources of credentials in Podman's order: the first that
// has something for the registry wins.
func (e *exam) podman() finding {
	helpers, conf := e.places.EveryRegistry()
	if conf == "" {
		helpers = []string{clientconfig.AuthFiles}
	}
	for _, helper := range helpers {
		if helper == ours {
			return ok("credential-helpers in %s, for every registry", conf)
		}
		if helper != clientconfig.AuthFiles {
			continue // it may have nothing for the registry
		}
		for _, path := range e.places.Search {
			if f, wins := e.podmanFile(path); wins {
				return f
			}
		}
	}
	return warn(codePodmanWiring, "no file names the helper; looked for %s", strings.Join(e.places.Search, ", "))
}

// podmanFile says whether a file settles the matter. In it, a helper goes before
// what stands in clear; credsStore counts for nothing.
func (e *exam) podmanFile(path string) (found finding, wins bool) {
	r, err := read(path)
	helper := r.Helpers[e.host.String()]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{}, false
	case err != nil:
		return warn(codePodmanBroken, "%s: %v", path, err), true
	case helper == ours:
		return ok("credHelpers in %s", path), true
	case helper != "":
		return warn(codePodmanOther, "credHelpers in %s says %q, so that docker-credential-%[2]s is asked", path, helper), true
	case e.leftover(r):
		return warn(codePodmanBefore, "%s has a secret for %s in clear, which wins over helpers in later files", path, e.host), true
	}
	return finding{}, false
}
