package dockerconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindPaths(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the paths are those of Linux")
	}
	home := t.TempDir()
	env := map[string]string{"HOME": home, "XDG_RUNTIME_DIR": "/run/user/1"}
	getenv := func(name string) string { return env[name] }
	p, err := FindPaths(getenv)
	want := []string{"/run/user/1/containers/auth.json", home + "/.config/containers/auth.json"}
	if err != nil || p.Docker != home+"/.docker/config.json" || !slices.Equal(p.Auth, want) {
		t.Errorf("%+v, %v", p, err)
	}
	for _, row := range []struct {
		root bool
		own  string
		want string
	}{
		{true, "", "/etc/containers/registries.conf.d/"},
		{false, "", home + "/.config/containers/registries.conf.d/"},
		{true, "registries.conf", home + "/.config/containers/registries.conf.d/"},
	} {
		if row.own != "" {
			write(t, filepath.Join(home, ".config/containers", row.own), "", 0o600)
		}
		if p.findRegistriesConf(getenv, row.root); p.DropIn != row.want+dropInName {
			t.Errorf("%+v: %s", row, p.DropIn)
		}
	}
	env["REGISTRY_AUTH_FILE"], env["DOCKER_CONFIG"] = "/a.json", "/d"
	if p, _ := FindPaths(getenv); p.Docker != "/d/config.json" || !slices.Equal(p.Auth, []string{"/a.json"}) {
		t.Errorf("%+v", p)
	}
}

func TestParseHelpers(t *testing.T) {
	const wrong = "it is not valid TOML, or its credential-helpers is not a list of names (line %d)"
	for _, row := range []struct {
		text string
		want []string
		err  string
	}{
		{`credential-helpers = ["acr", "containers-auth.json"]`, []string{"acr", "containers-auth.json"}, ""},
		{"# credential-helpers = [\"x\"]\n", nil, ""},
		{"\n  'credential-helpers'=[\n 'x',# 'z'\n \"y\"\n]\n[[registry]]\n", []string{"x", "y"}, ""},
		{"credential-helpers = []", nil, ""},
		{"\ufeffcredential-helpers = ['acr']", []string{"acr"}, ""}, // Podman skips it, too
		{"\xff\xfea\x00", nil, "it is UTF-16 text; save it as UTF-8"},
		{"[[registry]]\ncredential-helpers = ['acr']", nil, ""},
		{"credential-helpers = ['acr']\n= 5", nil, fmt.Sprintf(wrong, 2)},
		{"credential-helpers = 'acr'", nil, fmt.Sprintf(wrong, 1)},
	} {
		got, err := parseHelpers([]byte(row.text))
		if !slices.Equal(got, row.want) || (err == nil) != (row.err == "") || err != nil && err.Error() != row.err {
			t.Errorf("%q: %q, %v", row.text, got, err)
		}
	}
}

// TestPaths_NeedsDropIn follows the order of containers-registries.conf.d(5).
func TestPaths_NeedsDropIn(t *testing.T) {
	type files map[string]string
	const other, ours = `credential-helpers = ["pass"]`, `credential-helpers = ["acr"]`
	const own = "a/" + dropInName
	for _, row := range []struct {
		name  string
		files files
		force bool
		want  bool
		code  fault.Code
	}{
		{"no file", nil, false, true, ""},
		{"the default, explicitly", files{"main": `credential-helpers = ["containers-auth.json"]`}, false, true, ""},
		{"this helper already", files{"main": ours}, false, false, ""},
		{"another helper", files{"main": other}, false, false, fault.ClientOtherHelper},
		{"another helper, forced", files{"main": other}, true, true, ""},
		{"another helper before this one", files{"main": other, "a/1.conf": ours}, false, false, ""},
		{"a later file", files{"a/z.conf": other}, true, false, fault.ClientLaterFile},
		{"a later directory", files{"b/1.conf": other}, true, false, fault.ClientLaterFile},
		{"our drop-in file", files{own: ours}, false, false, ""},
		{"our drop-in file, changed", files{own: other}, false, false, fault.ClientOtherHelper},
		{"our drop-in file and a later one", files{own: ours, "a/z.conf": other}, false, false, fault.ClientLaterFile},
	} {
		dir := t.TempDir()
		p := Paths{
			DropIn: filepath.Join(dir, "a", dropInName), registriesConf: filepath.Join(dir, "main"),
			dropInDirs: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")},
		}
		for name, text := range row.files {
			write(t, filepath.Join(dir, name), text, 0o600)
		}
		got, err := p.NeedsDropIn(row.force)
		if got != row.want || fault.CodeOf(err) != row.code {
			t.Errorf("%s: %v, %v", row.name, got, err)
		}
	}
}
