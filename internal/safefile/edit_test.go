package safefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// check is for what a test sets up.
func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string, mode os.FileMode) string {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode))
	return path
}

func replace(path, text string, mode os.FileMode) error {
	f, err := Open(path)
	if err != nil {
		return err
	}
	if mode != 0 {
		f.Mode = mode
	}
	c, err := f.Prepare([]byte(text))
	if err != nil {
		return err
	}
	defer c.Discard()
	return c.Apply()
}

func expectMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	if mode := must(os.Stat(path)).Mode().Perm(); mode != want {
		t.Errorf("%s has mode %v, want %v", path, mode, want)
	}
}

func TestFile_keeps_mode_and_links(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has neither")
	}
	dir := t.TempDir()
	target := write(t, filepath.Join(dir, "dotfiles", "docker.json"), "{}", 0o640)
	link, dangling := filepath.Join(dir, "config.json"), filepath.Join(dir, "auth.json")
	check(t, os.Symlink("dotfiles/docker.json", link), os.Symlink("later/auth.json", dangling))
	for path, behind := range map[string]string{link: target, dangling: filepath.Join(dir, "later", "auth.json")} {
		check(t, replace(path, "{ }", 0))
		if must(os.Lstat(path)).Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more", path)
		}
		if content := must(os.ReadFile(behind)); string(content) != "{ }" {
			t.Errorf("%s: %q", behind, content)
		}
	}
	expectMode(t, target, 0o640)
	expectMode(t, dangling, 0o600)
	expectMode(t, filepath.Join(dir, "later"), 0o700)
	if left, _ := filepath.Glob(filepath.Join(dir, "*", ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestFile_Prepare_makes_searchable_directories holds that a file for every user lies in directories for
// every user.
func TestFile_Prepare_makes_searchable_directories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no modes")
	}
	path := filepath.Join(t.TempDir(), "registries.conf.d", "x.conf")
	check(t, replace(path, "x", 0o644))
	expectMode(t, path, 0o644)
	expectMode(t, filepath.Dir(path), 0o755)
}

func TestChange_Apply_sees_other_writers(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "config.json"), "{}", 0o600)
	f := must(Open(path))
	c := must(f.Prepare([]byte("{ }")))
	write(t, path, `{"a": 1}`, 0o600)
	if err := c.Apply(); err == nil || err.Error() != "another program has just changed it" {
		t.Error(err)
	}
	c.Discard()
	if _, err := f.Prepare(nil); err == nil || err.Error() != "another program has just changed it" {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestFile_Editable proves that another user's file is read and never replaced.
func TestFile_Editable(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "config.json"), "{}", 0o644)
	if err := must(Open(path)).Editable(); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	home := t.TempDir()
	check(t, os.Chown(path, 12345, 12345), os.Chown(home, 12345, 12345))
	theirs := must(Open(path))
	if err := theirs.Editable(); string(theirs.Text) != "{}" || err == nil || err.Error() != "it belongs to another user" {
		t.Errorf("%q, %v", theirs.Text, err)
	}
	// This one would be root's, in another user's home.
	if must(Open(filepath.Join(home, ".docker", "config.json"))).Editable() == nil {
		t.Error("root may make a file in another user's home")
	}
}

// TestFile_keeps_group holds that whom a file's group admitted, it admits.
func TestFile_keeps_group(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	path := write(t, filepath.Join(t.TempDir(), "config.json"), "{}", 0o660)
	check(t, os.Chown(path, 0, 12345), replace(path, "{ }", 0))
	expectMode(t, path, 0o660)
	if owner := fmt.Sprintf("%+v", must(os.Stat(path)).Sys()); !strings.Contains(owner, "Gid:12345") {
		t.Error(owner)
	}
}

// TestOpen_resolves_links holds that links lead where the system takes them, also to what isn't there.
func TestOpen_resolves_links(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has other links")
	}
	dir := t.TempDir()
	for path, to := range map[string]string{
		".docker": "data/dot/docker", "data/dot/docker/config.json": "../files/config.json", // .. of data/dot/docker
		"chain": "d1/a", "d1/a": "../d2/b", "loop": "loop", "gone": "far/away",
	} {
		path = filepath.Join(dir, path)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(to, path))
	}
	for path, want := range map[string]string{
		".docker/config.json": "data/dot/files/config.json", "chain": "d2/b", "nowhere/there/x": "nowhere/there/x",
		"gone/config.json": "far/away/config.json",
	} {
		if f := must(Open(filepath.Join(dir, path))); !f.Same(File{target: filepath.Join(dir, want)}) {
			t.Errorf("%s leads to %s", path, f.target)
		}
	}
	if _, err := Open(filepath.Join(dir, "loop")); err == nil || err.Error() != "its symbolic links form a loop" {
		t.Error(err)
	}
}
