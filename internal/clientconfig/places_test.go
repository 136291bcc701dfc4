package clientconfig

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
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

func TestCredentialHelpers(t *testing.T) {
	for _, row := range []struct {
		text string
		want []string
		err  string
	}{
		{DropIn, []string{"acr", "containers-auth.json"}, ""},
		{"# credential-helpers = [\"x\"]\n", nil, ""},
		{"\n  'credential-helpers'=[\n 'x',# 'z'\n \"y\"\n]\n[[registry]]\n", []string{"x", "y"}, ""},
		{"credential-helpers = []", nil, ""},
		{"[[registry]]\ncredential-helpers = ['acr']", nil, ""},
		{"credential-helpers = ['acr']\n= 5", nil, "it is not valid TOML, or its credential-helpers are no list of names (line 2)"},
		{"credential-helpers = 'acr'", nil, "it is not valid TOML, or its credential-helpers are no list of names (line 1)"},
	} {
		got, err := CredentialHelpers([]byte(row.text))
		if !slices.Equal(got, row.want) || (err == nil) != (row.err == "") || err != nil && err.Error() != row.err {
			t.Errorf("%q: %q, %v", row.text, got, err)
		}
	}
}

func TestAsksFilesFirst(t *testing.T) {
	for helpers, want := range map[string]bool{
		"containers-auth.json": true, "acr containers-auth.json": false, "containers-auth.json acr": true, "acr": false, "pass": false,
	} {
		if got := AsksFilesFirst(strings.Fields(helpers)); got != want {
			t.Errorf("%s: %v", helpers, got)
		}
	}
}

// TestDropIn holds the order of containers-registries.conf.d(5).
func TestDropIn(t *testing.T) {
	const other, ours = `credential-helpers = ["pass"]`, `credential-helpers = ["acr"]`
	for _, row := range []struct {
		name  string
		files map[string]string
		force bool
		want  bool
		code  string
	}{
		{"nothing", nil, false, true, ""},
		{"the default, said", map[string]string{"main": `credential-helpers = ["containers-auth.json"]`}, false, true, ""},
		{"ours already", map[string]string{"main": ours}, false, false, ""},
		{"another's", map[string]string{"main": other}, false, false, CodeOtherHelper},
		{"another's, forced", map[string]string{"main": other}, true, true, ""},
		{"another's before ours", map[string]string{"main": other, "a/1.conf": ours}, false, false, ""},
		{"a later file", map[string]string{"a/z.conf": other}, true, false, CodeLaterFile},
		{"a later directory", map[string]string{"b/1.conf": other}, true, false, CodeLaterFile},
		{"our own file", map[string]string{"a/" + dropInName: DropIn}, false, false, ""},
		{"our own file, changed", map[string]string{"a/" + dropInName: other}, false, false, CodeOtherHelper},
		{"our own file, overwritten", map[string]string{"a/" + dropInName: DropIn, "a/z.conf": other}, false, false, CodeLaterFile},
	} {
		dir := t.TempDir()
		p := Places{
			DropIn: filepath.Join(dir, "a", dropInName), registriesConf: filepath.Join(dir, "main"),
			dropInDirs: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")},
		}
		for name, text := range row.files {
			write(t, filepath.Join(dir, name), text, 0o600)
		}
		got, err := p.WantsDropIn(row.force)
		code := ""
		if refused, ok := err.(*Error); ok {
			code = refused.Code()
		}
		if got != row.want || code != row.code {
			t.Errorf("%s: %v, %v", row.name, got, err)
		}
	}
}

func TestPlaces(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("paths are Linux's")
	}
	home := t.TempDir()
	env := map[string]string{"HOME": home, "XDG_RUNTIME_DIR": "/run/user/1"}
	getenv := func(name string) string { return env[name] }
	p, err := FindPlaces(getenv)
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
		if p.findRegistriesConf(getenv, home, row.root); p.DropIn != row.want+dropInName {
			t.Errorf("%+v: %s", row, p.DropIn)
		}
	}
	env["REGISTRY_AUTH_FILE"], env["DOCKER_CONFIG"] = "/a.json", "/d"
	if p, _ := FindPlaces(getenv); p.Docker != "/d/config.json" || !slices.Equal(p.Auth, []string{"/a.json"}) {
		t.Errorf("%+v", p)
	}
}
