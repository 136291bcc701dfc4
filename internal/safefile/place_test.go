//go:build unix

package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// TestMakeDir makes nothing below another user's directory, also where permission would allow it.
func TestMakeDir(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give directories away")
	}
	for _, row := range []struct {
		what    string
		prepare func(home string) error
		want    string // in the error, with the home directory as HOME; "" for none
	}{
		{"one's own", func(string) error { return nil }, ""},
		{"another user's", func(home string) error { return os.Chown(home, other, other) }, "HOME belongs to user 12345: this program creates nothing there"},
		{"open to all, another user's", func(home string) error {
			return errors.Join(os.Chown(home, other, other), os.Chmod(home, 0o777))
		}, "HOME belongs to user 12345: this program creates nothing there"},
		{"partly made by another user", func(home string) error {
			return errors.Join(os.MkdirAll(filepath.Join(home, ".local"), 0o755), os.Chown(filepath.Join(home, ".local"), other, other))
		}, "HOME/.local belongs to user 12345: this program creates nothing there"},
		{"a link into another user's", func(home string) error {
			theirs := filepath.Join(filepath.Dir(home), "theirs")
			return errors.Join(os.Mkdir(theirs, 0o755), os.Chown(theirs, other, other), os.Symlink(theirs, filepath.Join(home, ".local")))
		}, "HOME/.local belongs to user 12345: this program creates nothing there"},
		{"a file in the way", func(home string) error { return os.WriteFile(filepath.Join(home, ".local"), nil, 0o600) }, "HOME/.local is not a directory"},
	} {
		home := filepath.Join(t.TempDir(), "home")
		check(t, os.Mkdir(home, 0o755), row.prepare(home))
		path := filepath.Join(home, ".local", "share", "vault")
		want := ""
		if row.want != "" {
			want = home + row.want[len("HOME"):]
		}
		for what, err := range map[string]error{"CheckPlace": CheckPlace(path), "MakeDir": MakeDir(path)} {
			if got := fmt.Sprint(errors.Join(err)); want == "" && err != nil || want != "" && got != want {
				t.Errorf("%s: %s: %v, want %q", row.what, what, err, want)
			}
		}
		if _, err := os.Stat(path); (err == nil) != (want == "") {
			t.Errorf("%s: %v", row.what, err)
		}
	}
}

// TestForeignDir advises to take over a directory only where it lies in one's own.
func TestForeignDir(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root takes nothing over")
	}
	info := must(os.Stat("/etc"))
	if e := ForeignDir("/etc", info); e.Code != fault.FileForeign {
		t.Errorf("/etc: %v", e.Code)
	}
	if e := ForeignDir(filepath.Join(t.TempDir(), "x"), info); e.Code != fault.FileDenied {
		t.Errorf("a directory in one's own: %v", e.Code)
	}
}

// TestDenied leaves every other error as it is.
func TestDenied(t *testing.T) {
	for _, err := range []error{nil, fs.ErrNotExist, &fs.PathError{Op: "open", Path: "x", Err: fs.ErrExist}} {
		if got := Denied("/", err); got != err {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// TestWrite_sweeps deletes what killed writers have left, and only so much of it at once.
func TestWrite_sweeps(t *testing.T) {
	path, dir := openRoot(t)
	old := time.Now().Add(-2 * time.Hour)
	leave := func(name string, when time.Time) {
		write(t, filepath.Join(path, name), "x", 0o600)
		check(t, os.Chtimes(filepath.Join(path, name), when, when))
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXY" // and one more
	for i := range sweepAtMost + 10 {
		leave(fmt.Sprintf("tmp-%s%c", letters[:24], 'A'+i%26)+fmt.Sprint(string("ABCDEFG"[i/26])), old)
	}
	left := []string{"tmp-" + letters + "7", "tmp-short", "tmp-" + letters + "1", "other.token"}
	leave(left[0], time.Now())
	for _, name := range left[1:] {
		leave(name, old)
	}
	for i, want := range []int{10, 0} {
		check(t, Write(dir, "file", []byte("x"), false))
		found := must(filepath.Glob(filepath.Join(path, "tmp-"+letters[:24]+"*")))
		if n := len(found) - 2; n != want {
			t.Errorf("after write %d, %d old files are left, want %d", i+1, n, want)
		}
	}
	for _, name := range left {
		if _, err := os.Lstat(filepath.Join(path, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	config := filepath.Join(path, "config.json")
	leave(".config.json."+letters+"Z", old)
	check(t, replace(config, "{}", 0))
	if found := must(filepath.Glob(filepath.Join(path, ".config.json.*"))); len(found) > 0 {
		t.Errorf("a client's file: %q are left", found)
	}
}
