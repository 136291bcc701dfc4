package clients

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

const authFile = ".config/containers/auth.json"

// newClients has the files of dir, and the programs in its directory bin.
func newClients(t *testing.T, dir string) Clients {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("paths differ")
	}
	variables := map[string]string{
		"HOME": dir, "PATH": filepath.Join(dir, "bin"), "XDG_RUNTIME_DIR": filepath.Join(dir, "run"),
		"CONTAINERS_REGISTRIES_CONF": filepath.Join(dir, "registries.conf"),
	}
	return New(func(name string) string { return variables[name] }, nil)
}

// write writes a file below dir, with its directories.
func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func contoso(t *testing.T) registry.Host {
	t.Helper()
	host, err := registry.ParseHost("contoso.azurecr.io")
	if err != nil {
		t.Fatal(err)
	}
	return host
}

func TestClients_Docker(t *testing.T) {
	const ok = fault.OK
	dir := t.TempDir()
	c, host := newClients(t, dir), contoso(t)
	if f := c.Docker(host); f.Code != fault.DockerNotConfigured || !strings.HasSuffix(f.Fact, "does not exist") {
		t.Errorf("without a file: %+v", f)
	}
	for _, row := range []struct {
		content string
		code    fault.Code
		fact    string
	}{
		{`{"credHelpers": {"contoso.azurecr.io": "acr"}}`, ok, "credHelpers in FILE"},
		{`{"credsStore": "acr"}`, ok, "credsStore in FILE"},
		{
			`{"credHelpers": {"contoso.azurecr.io": "acr"}, "auths": {"contoso.azurecr.io": {"auth": "c2Vj"}}}`,
			fault.DockerPlaintext, "credHelpers in FILE; auths there has a plaintext",
		},
		{
			`{"credHelpers": {"contoso.azurecr.io": ""}, "credsStore": "acr"}`,
			fault.DockerOtherHelper, "credHelpers in FILE is empty for contoso.azurecr.io",
		},
		{
			`{"credHelpers": {"contoso.azurecr.io": "pass"}, "credsStore": "acr"}`,
			fault.DockerOtherHelper, `credHelpers in FILE is "pass", so docker-credential-pass is used`,
		},
		{`{"credsStore": "desktop"}`, fault.DockerOtherHelper, `credsStore in FILE is "desktop"`},
		{`{"credHelpers": {"https://contoso.azurecr.io/v2/": "acr"}, "credsStore": "desktop"}`, fault.DockerName, "has the key"},
		{`{"credHelpers": 5}`, fault.DockerConfig, "FILE: "},
		{`{}`, fault.DockerNotConfigured, "FILE is not configured to use this helper for contoso.azurecr.io"},
	} {
		write(t, dir, ".docker/config.json", row.content)
		fact := strings.ReplaceAll(row.fact, "FILE", c.Paths.Docker)
		if f := c.Docker(host); f.Code != row.code || !strings.Contains(f.Fact, fact) {
			t.Errorf("%s: %+v, want %s, %s", row.content, f, row.code, fact)
		}
	}
}

func TestClients_Docker_hint_names_the_misspelled_key(t *testing.T) {
	dir := t.TempDir()
	c := newClients(t, dir)
	write(t, dir, ".docker/config.json", `{"credHelpers": {"*.azurecr.io": "acr"}}`)
	const want = "docker-credential-acr unconfigure '*.azurecr.io' && docker-credential-acr configure"
	if f := c.Docker(contoso(t)); !strings.Contains(f.Hint, want) {
		t.Errorf("%+v, want %s", f, want)
	}
}

func TestClients_Docker_finds_plaintext_credentials(t *testing.T) {
	dir := t.TempDir()
	c, host := newClients(t, dir), contoso(t)
	const plaintext, unnamed = ", and has a plaintext credential in auths", " for contoso.azurecr.io"
	for content, want := range map[string]string{
		`{"auths": {"contoso.azurecr.io": {"auth": "c2Vj"}}}`:                  plaintext,
		`{"auths": {"contoso.azurecr.io/app": {"auth": "c2Vj"}}}`:              plaintext,
		`{"auths": {"https://contoso.azurecr.io": {"identitytoken": "c2Vj"}}}`: plaintext,
		`{"auths": {"contoso.azurecr.io": {"auth": "", "email": "a@b"}}}`:      unnamed,
		`{"auths": {"contoso.azurecr.io": {}}}`:                                unnamed,
		`{"auths": {"contoso.azurecr.io": null}}`:                              unnamed,
		`{"auths": {"contoso.azurecr.io.example": {"auth": "c2Vj"}}}`:          unnamed,
		`{"auths": null}`: unnamed,
	} {
		write(t, dir, ".docker/config.json", content)
		f := c.Docker(host)
		if f.Code != fault.DockerNotConfigured || f.Fact != c.Paths.Docker+" is not configured to use this helper"+want {
			t.Errorf("%s: %+v, want %s", content, f, want)
		}
	}
}

func TestClients_Docker_finds_misspelled_keys(t *testing.T) {
	dir := t.TempDir()
	c, host := newClients(t, dir), contoso(t)
	for key, want := range map[string]fault.Code{
		"contoso.azurecr.io": fault.OK,
		"Contoso.azurecr.io": fault.DockerName, "contoso.azurecr.io:443": fault.DockerName,
		"https://contoso.azurecr.io/v2/": fault.DockerName, "*.azurecr.io": fault.DockerName,
		"fabrikam.azurecr.io": fault.DockerNotConfigured, "*.azurecr.cn": fault.DockerNotConfigured,
		"ghcr.io": fault.DockerNotConfigured,
	} {
		write(t, dir, ".docker/config.json", `{"credHelpers": {"`+key+`": "acr"}}`)
		f := c.Docker(host)
		if f.Code != want || want == fault.DockerName && !strings.Contains(f.Fact, `has the key "`+key+`"`) {
			t.Errorf("%s: %+v, want %s", key, f, want)
		}
	}
}

func TestClients_Docker_only_warns_where_Podman_is_configured(t *testing.T) {
	dir := t.TempDir()
	c, host := newClients(t, dir), contoso(t)
	write(t, dir, "bin/podman", "")
	write(t, dir, authFile, `{"credHelpers": {"contoso.azurecr.io": "acr"}}`)
	if f := c.Docker(host); f.Status != report.Skipped {
		t.Errorf("without docker: %+v", f)
	}
	write(t, dir, "bin/docker", "")
	if f := c.Docker(host); f.Status != report.Warned {
		t.Errorf("with docker: %+v", f)
	}
	write(t, dir, ".docker/config.json", `{"credHelpers": 5}`)
	if f := c.Docker(host); f.Status != report.Failed {
		t.Errorf("with a broken file: %+v", f)
	}
}

func TestClients_Podman(t *testing.T) {
	const configured = `{"credHelpers": {"contoso.azurecr.io": "acr"}}`
	for _, row := range []struct {
		first, second, conf string // run/containers/auth.json, authFile, registries.conf
		code                fault.Code
		fact                string
	}{
		{`{}`, configured, "", fault.OK, "credHelpers in "},
		{`{"credsStore": "acr"}`, `{}`, "", fault.PodmanNotConfigured, "Podman is not configured to use this helper; looked in "},
		{`{"auths": {"contoso.azurecr.io": {"auth": "YTpi"}}}`, configured, "", fault.PodmanPlaintext, "plaintext"},
		{`{"auths": {"contoso.azurecr.io": {"identitytoken": "x"}}}`, configured, "", fault.OK, "credHelpers in "},
		{`{"credHelpers": {"contoso.azurecr.io": ""}}`, configured, "", fault.PodmanOtherHelper, `is "", so`},
		{` `, configured, "", fault.PodmanConfig, "is empty"},
		{`[]`, configured, "", fault.PodmanConfig, "auth.json: "},
		{`{}`, `{}`, `credential-helpers = ["acr"]`, fault.OK, "credential-helpers in "},
		{`{}`, `{}`, `credential-helpers = ["pass", "containers-auth.json", "acr"]`, fault.OK, "credential-helpers in "},
		{configured, `{}`, `credential-helpers = ["pass"]`, fault.PodmanNotConfigured, "Podman is not configured"},
		{configured, `{}`, `credential-helpers = 5`, fault.PodmanConfig, "registries.conf: "},
	} {
		dir := t.TempDir()
		write(t, dir, "run/containers/auth.json", row.first)
		write(t, dir, authFile, row.second)
		write(t, dir, "registries.conf", row.conf)
		c := newClients(t, dir)
		if f := c.Podman(contoso(t)); f.Status != report.Skipped {
			t.Errorf("without podman: %+v", f)
		}
		write(t, dir, "bin/skopeo", "")
		if f := c.Podman(contoso(t)); f.Code != row.code || !strings.Contains(f.Fact, row.fact) {
			t.Errorf("%+v: %+v", row, f)
		}
	}
}

func TestClients_All(t *testing.T) {
	dir := t.TempDir()
	c := newClients(t, dir)
	f := c.All()
	if f.Code != fault.DockerNotConfigured || f.Hint != "Run: docker-credential-acr configure REGISTRY" {
		t.Errorf("without files: %+v", f)
	}
	write(t, dir, ".docker/config.json", `{"credsStore": "acr", "credHelpers": {"https://me:secret@ghcr.io": "acr"}}`)
	if f = c.All(); f.Code != fault.OK || strings.Contains(f.Fact, "secret") ||
		!strings.Contains(f.Fact, "@ghcr.io, every registry (credsStore) in "+c.Paths.Docker) {
		t.Errorf("with Docker's file: %+v", f)
	}
	write(t, dir, authFile, `{"credHelpers": {"https://contoso.azurecr.io": "acr"}}`)
	if f = c.All(); f.Code != fault.OK {
		t.Errorf("without Podman its file doesn't count: %+v", f)
	}
	write(t, dir, "bin/podman", "")
	if f = c.All(); f.Code != fault.DockerName || !strings.HasSuffix(f.Fact, "which clients never match with a registry") {
		t.Errorf("with a misspelled key: %+v", f)
	}
}

func TestClients_FindProgram_looks_in_relative_directories(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	name := "docker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	write(t, dir, "bin/"+name, "")
	for path, want := range map[string]string{"": "", "bin": filepath.Join("bin", name), filepath.Join(dir, "no"): ""} {
		c := Clients{Getenv: func(string) string { return path }}
		if got := c.FindProgram("docker"); got != want {
			t.Errorf("PATH=%q: %q, want %q", path, got, want)
		}
	}
}

// TestClients_judge_files_by_their_own_rules has files that one of the clients reads and the other doesn't.
func TestClients_judge_files_by_their_own_rules(t *testing.T) {
	const helpers = `"credHelpers": {"contoso.azurecr.io": "acr"}`
	for _, row := range []struct {
		content        string
		docker, podman fault.Code
	}{
		{`{` + helpers + `}`, fault.OK, fault.OK},
		{`{` + helpers + `} trailing`, fault.OK, fault.PodmanConfig},
		{`{` + helpers + `}{}`, fault.OK, fault.PodmanConfig},
		{`{` + helpers + `, "psFormat": 5}`, fault.DockerConfig, fault.OK},
		{`{` + helpers + `, "plugins": {"x": {"y": true}}}`, fault.DockerConfig, fault.OK},
		{`{` + helpers + `, "unknown": 5}`, fault.OK, fault.OK},
		{`{` + helpers + `, "credsStore": 5}`, fault.DockerConfig, fault.OK},
		{`{` + helpers + `, "auths": {"ghcr.io": {"auth": "no base64"}}}`, fault.DockerConfig, fault.OK},
		{`{` + helpers + `, "auths": {"ghcr.io": {"email": 5}}}`, fault.DockerConfig, fault.OK},
		{`{` + helpers + `, "auths": {"ghcr.io": {"auth": 5}}}`, fault.DockerConfig, fault.PodmanConfig},
		{`{` + helpers + `, "auths": []}`, fault.DockerConfig, fault.PodmanConfig},
		{`{"CREDHELPERS": {"contoso.azurecr.io": "acr"}}`, fault.OK, fault.OK},
		{`{` + helpers, fault.DockerConfig, fault.PodmanConfig},
		{``, fault.DockerNotConfigured, fault.PodmanConfig},
	} {
		dir := t.TempDir()
		c, host := newClients(t, dir), contoso(t)
		write(t, dir, "bin/podman", "")
		write(t, dir, ".docker/config.json", row.content)
		c.Paths.Auth, c.Paths.Search = nil, []string{c.Paths.Docker}
		if f := c.docker(host); f.Code != row.docker {
			t.Errorf("%s: Docker: %+v, want %s", row.content, f, row.docker)
		}
		if f := c.Podman(host); f.Code != row.podman {
			t.Errorf("%s: Podman: %+v, want %s", row.content, f, row.podman)
		}
	}
}
