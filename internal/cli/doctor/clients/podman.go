package clients

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// hasPodman reports whether a client is installed that reads Podman's files.
func (c Clients) hasPodman() bool {
	return slices.ContainsFunc(dockerconfig.PodmanPrograms, func(name string) bool { return c.FindProgram(name) != "" })
}

// AnyInNamespace reports whether Podman or Buildah would run this helper in a user
// namespace, as they do without root, for a registry or any other that a login covers.
func (c Clients) AnyInNamespace(host registry.Host, covers func(server string) bool) bool {
	if c.InNamespace(host) {
		return true
	}
	return slices.ContainsFunc(c.Paths.Registries(c.Clouds), func(name string) bool {
		other, err := c.Clouds.ParseHost(name)
		return err == nil && covers(name) && c.InNamespace(other)
	})
}

// InNamespace reports whether Podman or Buildah would run this helper for a registry in a
// user namespace, which has kernel keyrings of its own.
func (c Clients) InNamespace(host registry.Host) bool {
	return runtime.GOOS == "linux" && os.Geteuid() != 0 && c.FindProgram("podman")+c.FindProgram("buildah") != "" &&
		c.Podman(host).Status == report.Passed
}

// Podman reports whether Podman, Skopeo and Buildah use this helper for a registry. It
// looks in Podman's sources of credentials in Podman's order. The first that has anything
// for the registry decides.
func (c Clients) Podman(host registry.Host) report.Finding {
	if !c.hasPodman() {
		return report.Skip("no podman, skopeo or buildah on the PATH")
	}
	if c.noPaths != nil {
		return report.Fail(fault.NoHome, "%v", c.noPaths)
	}
	helpers, conf, err := c.Paths.AllRegistriesHelpers()
	if err != nil {
		return report.Warn(fault.PodmanConfig, "%v", err)
	}
	for _, helper := range helpers {
		if helper == dockerconfig.Helper {
			return report.OK("credential-helpers in %s, for every registry", conf)
		}
		if helper != dockerconfig.AuthFiles { // it may have nothing for the registry
			continue
		}
		for _, path := range c.Paths.Search {
			if f, decides := podmanFile(path, host); decides {
				return f
			}
		}
	}
	return report.Warn(fault.PodmanNotConfigured,
		"Podman is not configured to use this helper; looked in %s", strings.Join(c.Paths.Search, ", "))
}

// podmanFile reports what one file leads to, if it decides. In a file, a helper takes
// precedence over a plaintext credential; Podman ignores credsStore.
func podmanFile(path string, host registry.Host) (f report.Finding, decides bool) {
	contents, err := dockerconfig.ReadFile(path, dockerconfig.ReadPodman)
	helper, isNamed := contents.Helpers[host.String()]
	hasPlaintext := slices.ContainsFunc(contents.Credentials, func(found dockerconfig.Credential) bool {
		return found.IsFor(host.String())
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f, false
	case err != nil:
		return report.Warn(fault.PodmanConfig, "%v", err), true
	case contents.Empty:
		return report.Warn(fault.PodmanConfig, "%s is empty, which Podman can't read", path), true
	case helper == dockerconfig.Helper:
		return report.OK("credHelpers in %s", path), true
	case isNamed:
		return report.Warn(fault.PodmanOtherHelper, otherHelper, "credHelpers", path, helper), true
	case hasPlaintext:
		return report.Warn(fault.PodmanPlaintext,
			"%s has a plaintext credential for %s, which takes precedence over helpers in later files", path, host), true
	}
	return f, false
}
