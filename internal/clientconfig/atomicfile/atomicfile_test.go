package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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
		f, err := Read(path)
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
	f, err := Read(filepath.Join(dir, "x.conf"))
	if err != nil {
		t.Fatal(err)
	}
	f.Mode = 0o644
	if err := replace(f, "x"); err != nil {
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
	f, err := Read(path)
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
	mine, err := Read(path)
	if err != nil || mine.Editable() != nil {
		t.Fatal(err, mine.Editable())
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	if err := os.Chown(path, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	theirs, err := Read(path)
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
	absent, err := Read(filepath.Join(home, ".docker", "config.json")) // which would be root's, in another user's home
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
	f, err := Read(path)
	if err == nil {
		err = replace(f, "{ }")
	}
	info, _ := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 || !strings.Contains(fmt.Sprintf("%+v", info.Sys()), "Gid:12345") {
		t.Errorf("%v, %v, %+v", err, info.Mode(), info.Sys())
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
		f, err := Read(filepath.Join(dir, path))
		same := File{target: filepath.Join(dir, want)}
		if err != nil || !f.Same(same) {
			t.Errorf("%s leads to %s, %v", path, f.target, err)
		}
	}
	if _, err := Read(filepath.Join(dir, "loop")); err == nil || err.Error() != "its symlinks go round in circles" {
		t.Error(err)
	}
}
