//go:build unix

package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const other = 12345 // another user and group

// share lets every user read and write a file.
func share(t *testing.T, path string) {
	t.Helper()
	check(t, os.Chmod(path, 0o666))
}

func TestCheckPrivate_and_checkTrusted(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "file"), "", 0o600)
	for _, row := range []struct {
		mode             os.FileMode
		uid              int
		private, trusted string
	}{
		{0o600, -1, "<nil>", "<nil>"},
		{0o400, -1, "<nil>", "<nil>"},
		{0o644, -1, "other users have access to it", "<nil>"},
		{0o664, -1, "other users have access to it", "other users can write to it"},
		{0o602, -1, "other users have access to it", "other users can write to it"},
		{0o600, 12345, "it belongs to another user", "it belongs to another user"},
	} {
		if row.uid >= 0 && os.Getuid() != 0 {
			continue // only root can give files away
		}
		check(t, os.Chown(path, row.uid, -1), os.Chmod(path, row.mode))
		info := must(os.Stat(path))
		for i, err := range []error{checkPrivate(nil, info), checkTrusted(nil, info)} {
			want := []string{row.private, row.trusted}[i]
			if fmt.Sprint(err) != want || err != nil && !errors.Is(err, ErrUntrusted) {
				t.Errorf("mode %o, owner %d: %v, want %s", row.mode, row.uid, err, want)
			}
		}
	}
}

func TestReadTrusted_checks_directories(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	for _, row := range []struct {
		what        string
		mode        fs.FileMode // of the directory a
		uid, gid    int
		entryOwner  int
		want        string // "" for trusted; DIR is a
		throughLink bool
	}{
		{"ours", 0o755, 0, 0, 0, "", false},
		{"another user's", 0o755, other, 0, 0, "the directory DIR belongs to another user", false},
		{"open to a group", 0o775, 0, other, 0, "other users can write to the directory DIR", false},
		{"open to root's group", 0o775, 0, 0, 0, "other users can write to the directory DIR", false},
		{"open to everyone", 0o757, 0, 0, 0, "other users can write to the directory DIR", false},
		{"sticky", 0o777 | fs.ModeSticky, 0, 0, 0, "", false},
		{"sticky, with another user's entry", 0o777 | fs.ModeSticky, 0, 0, other, "other users can write to the directory DIR", false},
		{"behind a link", 0o777, 0, 0, 0, "other users can write to the directory DIR", true},
	} {
		t.Run(row.what, func(t *testing.T) {
			root := t.TempDir()
			a := filepath.Join(root, "a")
			check(t, os.MkdirAll(filepath.Join(a, "b"), 0o755))
			path := write(t, filepath.Join(a, "b", "config.json"), "x", 0o644)
			check(t, os.Chown(filepath.Join(a, "b"), row.entryOwner, 0), os.Chown(a, row.uid, row.gid), os.Chmod(a, row.mode))
			if row.throughLink {
				check(t, os.Symlink("./a/../a/b", filepath.Join(root, "link")))
				path = filepath.Join(root, "link", "config.json")
			}
			_, err := ReadTrusted(path, 10)
			switch want := strings.ReplaceAll(row.want, "DIR", a); {
			case want == "" && err != nil, want != "" && !errors.Is(err, ErrUntrusted):
				t.Errorf("%v, want %q", err, want)
			case err != nil && err.Error() != want:
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}

// TestReadTrusted_in_a_private_group is a directory of a user whose group has no other members.
func TestReadTrusted_in_a_private_group(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "x", 0o644)
	entry := must(os.Lstat(filepath.Join(dir, "file")))
	check(t, os.Chown(dir, 0, other), os.Chmod(dir, 0o775))
	if err := checkDir(dir, entry); err == nil {
		t.Error("a group with other members is trusted")
	}
	check(t, os.Chown(dir, other, other))
	if err := checkDir(dir, entry); err == nil || err.Error() != "the directory "+dir+" belongs to another user" {
		t.Error(err)
	}
}

// TestReaders_while_files_are_exchanged has another user who exchanges the file with a pipe and with a file of their own, in
// a directory where they can. No reader waits for the pipe, and none takes the other user's file for a trusted one.
func TestReaders_while_files_are_exchanged(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	path, dir := openRoot(t)
	check(t, os.Chmod(path, 0o777))
	name := write(t, filepath.Join(path, "file"), "ours", 0o600)
	hostile := write(t, filepath.Join(path, "hostile"), "hostile", 0o644)
	check(t, os.Chown(hostile, other, other), unix.Mkfifo(filepath.Join(path, "pipe"), 0o666))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			for _, with := range []string{hostile, filepath.Join(path, "pipe")} {
				select {
				case <-stop:
					return
				default:
				}
				exchange(name, with)
			}
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 5000 {
			if content, err := ReadTrusted(name, 10); err == nil {
				t.Errorf("ReadTrusted: %q", content)
				return
			}
			if content, err := ReadPrivate(dir, "file", 10); err == nil && string(content) != "ours" {
				t.Errorf("ReadPrivate: %q", content)
				return
			}
			_, _ = Read(name, 10)
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Error("a reader waits for the pipe")
	}
}
