package clientconfig

import (
	"errors"
	"fmt"
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

func replace(f File, text string) error {
	c, err := f.Prepare([]byte(text))
	if err != nil {
		return err
	}
	return c.Apply()
}

func TestReplaceKeepsModeAndLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither")
	}
	dir := t.TempDir()
	target := write(t, filepath.Join(dir, "dotfiles", "docker.json"), "{}", 0o640)
	link, dangling := filepath.Join(dir, "config.json"), filepath.Join(dir, "auth.json")
	for path, to := range map[string]string{link: "dotfiles/docker.json", dangling: "later/auth.json"} {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	for path, behind := range map[string]string{link: target, dangling: filepath.Join(dir, "later", "auth.json")} {
		f, err := ReadFile(path)
		if err == nil {
			err = replace(f, "{ }")
		}
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", path, err)
		}
		if content, err := os.ReadFile(behind); err != nil || string(content) != "{ }" {
			t.Errorf("%s: %q, %v", behind, content, err)
		}
	}
	if info, _ := os.Stat(target); info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is now %v", info.Mode())
	}
	if info, _ := os.Stat(dangling); info.Mode().Perm() != 0o600 {
		t.Errorf("a new file has mode %v", info.Mode())
	}
	if info, _ := os.Stat(filepath.Join(dir, "later")); info.Mode().Perm() != 0o700 {
		t.Errorf("a new directory has mode %v", info.Mode())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestWhoeverMayReadMayEnter holds that a file for every user lies in directories for
// every user.
func TestWhoeverMayReadMayEnter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	dir := filepath.Join(t.TempDir(), "registries.conf.d")
	f, err := ReadFile(filepath.Join(dir, dropInName))
	if err != nil {
		t.Fatal(err)
	}
	f.Mode = 0o644
	if err := replace(f, DropIn); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o755, f.Path: 0o644} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestReplaceSeesOtherWriters(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "config.json"), "{}", 0o600)
	f, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := f.Prepare([]byte("{ }"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, `{"a": 1}`, 0o600)
	if err := c.Apply(); err == nil || err.Error() != "somebody else has just written it" {
		t.Error(err)
	}
	c.Discard()
	if _, err := f.Prepare(nil); err == nil || err.Error() != "somebody else has just written it" {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestForeignFile holds that what belongs to somebody else is read and never replaced.
func TestForeignFile(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "config.json"), "{}", 0o644)
	mine, err := ReadFile(path)
	if err != nil || mine.Editable() != nil {
		t.Fatal(err, mine.Editable())
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	theirs, err := ReadFile(path)
	if err != nil || string(theirs.Text) != "{}" {
		t.Fatal(err)
	}
	if err := theirs.Editable(); err == nil || err.Error() != "it belongs to another user" {
		t.Error(err)
	}
	home := t.TempDir()
	if err := os.Chown(home, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	absent, err := ReadFile(filepath.Join(home, ".docker", "config.json")) // which would be root's, in another user's home
	if err != nil || absent.Editable() == nil {
		t.Errorf("%v, %v", err, absent.Editable())
	}
}

// TestGroupStays holds that whom a file's group admitted, it admits.
func TestGroupStays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := write(t, filepath.Join(t.TempDir(), "config.json"), "{}", 0o660)
	if err := errors.Join(os.Chown(path, 0, 12345), os.Chmod(path, 0o660)); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFile(path)
	if err == nil {
		err = replace(f, "{ }")
	}
	info, _ := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 || !strings.Contains(fmt.Sprintf("%+v", info.Sys()), "Gid:12345") {
		t.Errorf("%v, %v, %+v", err, info.Mode(), info.Sys())
	}
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
		{"credential-helpers = ['acr']\n= 5", nil, "it is not valid TOML (line 2)"},
		{"credential-helpers = 'acr'", nil, "its credential-helpers are not a list of names"},
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

// TestLinks holds that links lead where the system takes them, also to what isn't there.
func TestLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other links")
	}
	dir := t.TempDir()
	for path, to := range map[string]string{
		".docker": "data/dot/docker", "data/dot/docker/config.json": "../files/config.json", // whose .. is that of data/dot/docker
		"chain": "d1/a", "d1/a": "../d2/b", "loop": "loop", "gone": "far/away",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(dir, path)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{".docker/config.json": "data/dot/files/config.json", "chain": "d2/b", "nowhere/there/x": "nowhere/there/x", "gone/config.json": "far/away/config.json"} {
		f, err := ReadFile(filepath.Join(dir, path))
		same := File{target: filepath.Join(dir, want)}
		if err != nil || !f.Same(same) {
			t.Errorf("%s leads to %s, %v", path, f.target, err)
		}
	}
	if _, err := ReadFile(filepath.Join(dir, "loop")); err == nil || err.Error() != "its symlinks go round in circles" {
		t.Error(err)
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
