// Package clients finds out whether Docker, Podman and other clients use this helper, and
// which of their files decides that.
package clients

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Clients is what it takes to read the clients' files as they do.
type Clients struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Clouds are the custom clouds.
	Clouds registry.Clouds
	// Paths are the clients' files, as far as this user may look for them.
	Paths dockerconfig.Paths

	noPaths error // why there are no Paths
}

// New finds the clients' files.
func New(getenv func(string) string, clouds registry.Clouds) Clients {
	c := Clients{Getenv: getenv, Clouds: clouds}
	c.Paths, c.noPaths = dockerconfig.FindPaths(getenv)
	return c
}

// FindProgram returns the path of a program on the PATH; "" for none. As clients do, and
// unlike subprocess.Runner, it also looks in relative directories.
func (c Clients) FindProgram(name string) string {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	for _, dir := range filepath.SplitList(c.Getenv("PATH")) {
		if path := filepath.Join(dir, name); subprocess.IsProgram(path) {
			return path
		}
	}
	return ""
}

// All reports for which registries clients use this helper.
func (c Clients) All() report.Finding {
	if c.noPaths != nil {
		return report.Fail(fault.NoHome, "%v", c.noPaths)
	}
	files := []string{c.Paths.Docker}
	if c.hasPodman() {
		files = c.Paths.Files()
	}
	var where []string
	for _, path := range files {
		read, code := dockerconfig.ReadPodman, fault.PodmanConfig
		if path == c.Paths.Docker {
			read, code = dockerconfig.ReadDocker, fault.DockerConfig
		}
		contents, err := dockerconfig.ReadFile(path, read)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return report.Fail(code, "%v", err)
		}
		names := contents.OwnNames()
		if i := slices.IndexFunc(names, c.isMisnamed); i >= 0 {
			return misnamed(path, names[i], "a registry")
		}
		if contents.Store == dockerconfig.Helper && path == c.Paths.Docker { // Podman ignores it
			names = append(names, "every registry (credsStore)")
		}
		if len(names) > 0 {
			where = append(where, dockerconfig.RedactKeys(names...)+" in "+path)
		}
	}
	return c.allRegistries(where)
}

// allRegistries completes All with what Podman has for every registry.
func (c Clients) allRegistries(where []string) report.Finding {
	if c.hasPodman() {
		helpers, conf, err := c.Paths.AllRegistriesHelpers()
		if err != nil {
			return report.Fail(fault.DockerConfig, "%v", err)
		}
		if slices.Contains(helpers, dockerconfig.Helper) {
			where = append(where, "every registry (credential-helpers) in "+conf)
		}
	}
	if len(where) == 0 { // with the code of Docker, which scripts know
		f := report.Fail(fault.DockerNotConfigured, "neither Docker nor Podman is configured to use this helper")
		f.Hint = "Run: docker-credential-acr configure REGISTRY" // for every client that is installed, not only Docker
		return f
	}
	return report.OK("%s", strings.Join(where, "; "))
}

// isMisnamed reports whether a name in a file means an Azure registry and no client looks
// it up.
func (c Clients) isMisnamed(name string) bool {
	host, err := c.Clouds.ParseHost(name)
	return err == nil && host.String() != name || strings.Contains(name, "*")
}

// Logins reports whether Helm or regctl has a login of its own for a registry, which it
// prefers to every helper, also when it has expired.
func (c Clients) Logins(host registry.Host) report.Finding {
	if c.noPaths != nil {
		return report.Fail(fault.NoHome, "%v", c.noPaths)
	}
	contents, err := dockerconfig.ReadFile(c.Paths.Helm, dockerconfig.Read)
	hasHelm := slices.ContainsFunc(contents.Credentials, func(found dockerconfig.Credential) bool {
		return c.means(found.Server, host)
	}) && contents.Helpers[host.String()] == ""
	hasRegctl := slices.ContainsFunc(c.Paths.RegctlHosts(), func(name string) bool { return c.means(name, host) })
	switch {
	case hasHelm:
		return report.Warn(fault.HelmPlaintext,
			"%s has a plaintext credential for %s, which Helm uses instead of this helper", c.Paths.Helm, host)
	case hasRegctl:
		return report.Warn(fault.RegctlPlaintext,
			"%s has a plaintext credential for %s, which regctl uses instead of this helper", c.Paths.Regctl, host)
	case errors.Is(err, fs.ErrNotExist), err == nil:
		return report.OK("Helm and regctl have none of their own")
	}
	return report.Warn(fault.HelmPlaintext, "%v", err)
}

// misnamed is the finding for a name that means a registry in vain; its hint removes
// exactly that name.
func misnamed(path, name, meant string) report.Finding {
	name = dockerconfig.RedactKeys(name)
	f := report.Fail(fault.DockerName,
		`credHelpers in %s has the key "%s", which clients never match with %s`, path, name, meant)
	f.Hint = strings.ReplaceAll(f.Hint, "NAME", text.Quote(name))
	return f
}

// otherHelper is the same for all clients: the setting, its file, and twice the helper.
const otherHelper = `%s in %s is "%s", so docker-credential-%[3]s is used`

// Docker reports whether Docker uses this helper for a registry. Compose, BuildKit, Helm,
// crane and others read the same file. If it doesn't and Podman does, that is only a
// warning, because Docker may not be used here; but a file that can't be read fails.
func (c Clients) Docker(host registry.Host) report.Finding {
	f := c.docker(host)
	if f.Status == report.Failed && f.Code != fault.DockerConfig && c.Podman(host).Status == report.Passed {
		f.Status = report.Warned
	}
	return f
}

// docker is Docker without regard to Podman.
func (c Clients) docker(host registry.Host) report.Finding {
	if c.noPaths != nil {
		return report.Fail(fault.NoHome, "%v", c.noPaths)
	}
	path := c.Paths.Docker
	contents, err := dockerconfig.ReadFile(path, dockerconfig.ReadDocker)
	switch {
	case errors.Is(err, fs.ErrNotExist) && c.FindProgram("docker") == "" && c.hasPodman():
		return report.Skip("no docker on the PATH, and no %s", path)
	case errors.Is(err, fs.ErrNotExist):
		return report.Fail(fault.DockerNotConfigured, "%s does not exist", path)
	case err != nil:
		return report.Fail(fault.DockerConfig, "%v", err)
	}
	f := c.dockerFile(path, contents, host)
	if f.Status == report.Passed && contents.Complaint != "" { // other clients, such as crane, may not read it at all
		f = report.Warn(fault.DockerConfig, "%s; Docker warns of that file: %s", f.Fact, contents.Complaint)
		f.Hint = "Fix the file: some clients can't read it"
	}
	return f
}

// dockerFile reports what the content of Docker's file leads to.
func (c Clients) dockerFile(path string, contents dockerconfig.Contents, host registry.Host) report.Finding {
	helper, isNamed := contents.Helpers[host.String()]
	setting := "credHelpers"
	if !isNamed {
		helper, setting = contents.Store, "credsStore"
	}
	isPlaintext := slices.ContainsFunc(contents.Credentials, func(found dockerconfig.Credential) bool {
		return c.means(found.Server, host)
	})
	names := contents.OwnNames()
	similar := slices.IndexFunc(names, func(name string) bool { return c.isSimilar(name, host) })
	switch {
	case helper == dockerconfig.Helper && isPlaintext:
		return report.Warn(fault.DockerPlaintext,
			"%s in %s; auths there has a plaintext credential, which Docker does not use", setting, path)
	case helper == dockerconfig.Helper:
		return report.OK("%s in %s", setting, path)
	case helper == "" && isNamed:
		return report.Fail(fault.DockerOtherHelper, "%s in %s is empty for %s, so no helper is used", setting, path, host)
	case similar >= 0:
		return misnamed(path, names[similar], host.String())
	case helper != "":
		return report.Fail(fault.DockerOtherHelper, otherHelper, setting, path, helper)
	case isPlaintext:
		return report.Fail(fault.DockerNotConfigured,
			"%s is not configured to use this helper, and has a plaintext credential in auths", path)
	}
	return report.Fail(fault.DockerNotConfigured, "%s is not configured to use this helper for %s", path, host)
}

// isSimilar reports whether a name in credHelpers means the registry, but is not what
// clients look up.
func (c Clients) isSimilar(name string, host registry.Host) bool {
	return name != host.String() && (c.means(name, host) || registry.Matches(name, host))
}

// means reports whether a name in a file means the registry, in any spelling.
func (c Clients) means(name string, host registry.Host) bool {
	parsed, err := c.Clouds.ParseHost(strings.TrimPrefix(name, "http://"))
	return err == nil && parsed.String() == host.String()
}

// DockerEnv reports what DOCKER_AUTH_CONFIG does, which takes precedence over every file
// (docker/cli since 29).
func (c Clients) DockerEnv(host registry.Host) report.Finding {
	value := c.Getenv("DOCKER_AUTH_CONFIG")
	if value == "" {
		return report.OK("DOCKER_AUTH_CONFIG is not set")
	}
	servers, err := dockerconfig.ParseAuthVariable(value)
	switch {
	case err != nil:
		f := report.Warn(fault.DockerAuthConfig, "DOCKER_AUTH_CONFIG is not valid, so Docker ignores it")
		f.Hint = "Unset DOCKER_AUTH_CONFIG"
		return f
	case slices.Contains(servers, host.String()):
		return report.Warn(fault.DockerAuthConfig,
			"DOCKER_AUTH_CONFIG has a credential for %s, which takes precedence over every helper", host)
	}
	return report.OK("DOCKER_AUTH_CONFIG is set, and has nothing for %s", host)
}
