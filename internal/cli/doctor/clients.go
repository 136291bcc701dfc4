package doctor

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// ours is what clients call us.
const ours = "acr"

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
	host := e.host.String()
	f, err := readClientFile(e.dockerFile())
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.path == "":
		return fail(codeNotWired, "there is no home directory for Docker's config.json")
	case errors.Is(err, fs.ErrNotExist):
		return fail(codeNotWired, "%s does not exist", f.path)
	case err != nil:
		return fail(codeUnreadable, "%s: %v", f.path, err)
	}
	helper, by := f.CredHelpers[host], "credHelpers"
	if helper == "" {
		helper, by = f.CredsStore, "credsStore"
	}
	switch {
	case helper == ours && f.leftover(host):
		return warn(codeLeftover, "%s in %s, and beside it a secret in clear in auths, of no use to Docker", by, f.path)
	case helper == ours:
		return ok("%s in %s", by, f.path)
	case f.nearly(e.host) != "":
		return fail(codeKey, "credHelpers in %s names %q, which no client takes for %s", f.path, f.nearly(e.host), host)
	case helper == "" && f.leftover(host):
		return fail(codeNotWired, "%s does not name the helper, and has a secret in clear in auths", f.path)
	case helper == "":
		return fail(codeNotWired, "%s does not name the helper for %s", f.path, host)
	}
	return fail(codeOther, "%s in %s says %q, so that docker-credential-%[3]s is asked", by, f.path, helper)
}

// checkDockerEnv looks at what goes before every file (docker/cli since 29).
func checkDockerEnv(_ context.Context, e *exam) finding {
	value := e.Getenv("DOCKER_AUTH_CONFIG")
	if value == "" {
		return ok("DOCKER_AUTH_CONFIG is not set")
	}
	f, err := parseClientFile("DOCKER_AUTH_CONFIG", []byte(value))
	switch {
	case err != nil:
		return warn(codeAuthConfig, "DOCKER_AUTH_CONFIG is set, and %v", err)
	case f.leftover(e.host.String()):
		return warn(codeAuthConfig, "DOCKER_AUTH_CONFIG answers for %s before any helper does", e.host)
	}
	return ok("DOCKER_AUTH_CONFIG is set, and does not name %s", e.host)
}

// checkPodman looks where Podman, Skopeo and Buildah look.
func checkPodman(_ context.Context, e *exam) finding {
	missing := func(name string) bool { return e.findProgram(name) == "" }
	if !slices.ContainsFunc([]string{"podman", "skopeo", "buildah"}, func(name string) bool { return !missing(name) }) {
		return skip("no podman, skopeo or buildah on the PATH")
	}
	return e.podman().about(e.host.String())
}

// podman goes through the sources of credentials in Podman's order: the first that
// has something for the registry wins.
func (e *exam) podman() finding {
	helpers, conf := e.credentialHelpers()
	for _, helper := range helpers {
		if helper == ours {
			return ok("credential-helpers in %s, for every registry", conf)
		}
		if helper != fileHelper {
			continue // it may have nothing for the registry
		}
		for _, path := range e.authFiles() {
			if f, wins := e.podmanFile(path); wins {
				return f
			}
		}
	}
	files := e.authFiles()
	return warn(codePodmanWiring, "no file names the helper; looked for %s", strings.Join(files, ", "))
}

// podmanFile says whether a file settles the matter. In it, a helper goes before
// what stands in clear; credsStore counts for nothing.
func (e *exam) podmanFile(path string) (found finding, wins bool) {
	host := e.host.String()
	f, err := readClientFile(path)
	helper := f.CredHelpers[host]
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{}, false
	case err != nil:
		return warn(codePodmanBroken, "%s: %v", path, err), true
	case helper == ours:
		return ok("credHelpers in %s", path), true
	case helper != "":
		return warn(codePodmanOther, "credHelpers in %s says %q, so that docker-credential-%[2]s is asked", path, helper), true
	case f.leftover(host):
		return warn(codePodmanBefore, "%s has a secret for %s in clear, which wins over helpers in later files", path, host), true
	}
	return finding{}, false
}
