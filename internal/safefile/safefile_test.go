package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "file"), "0123456789", 0o644)
	if content := must(Read(path, 10)); string(content) != "0123456789" {
		t.Errorf("%q", content)
	}
	for _, row := range []struct {
		what, path string
		limit      int64
		want       error
	}{
		{"a file longer than the limit", path, 9, ErrTooLong},
		{"a directory", dir, 10, ErrNotRegular},
		{"no file", filepath.Join(dir, "none"), 10, fs.ErrNotExist},
	} {
		_, err := Read(row.path, row.limit)
		if !errors.Is(err, row.want) || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", row.what, err)
		}
	}
}

func TestReadTrusted(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "file"), "x", 0o644)
	must(ReadTrusted(path, 10))
	write(t, path, "x", 0o666)
	if _, err := ReadTrusted(path, 10); !errors.Is(err, ErrUntrusted) || err.Error() != "other users can write to it" {
		t.Error(err)
	}
}

func openRoot(t *testing.T) (path string, dir *os.Root) {
	t.Helper()
	path = t.TempDir()
	dir = must(os.OpenRoot(path))
	t.Cleanup(func() { dir.Close() })
	return path, dir
}

func TestReadPrivate(t *testing.T) {
	path, dir := openRoot(t)
	write(t, filepath.Join(path, "file"), "x", 0o600)
	write(t, filepath.Join(path, "open"), "x", 0o640)
	check(t, os.Symlink("file", filepath.Join(path, "link")))
	for name, want := range map[string]error{"file": nil, "link": ErrNotRegular, "open": ErrUntrusted} {
		if content, err := ReadPrivate(dir, name, 10); !errors.Is(err, want) || err == nil && string(content) != "x" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
}

func TestWriteNew(t *testing.T) {
	path, dir := openRoot(t)
	check(t, WriteNew(dir, "key", []byte("first")), WriteNew(dir, "key", []byte("second")))
	content, entries := must(ReadPrivate(dir, "key", 10)), must(os.ReadDir(path))
	if string(content) != "first" || len(entries) != 1 {
		t.Errorf("%q, %v", content, entries)
	}
}

func TestCheckPrivate_and_checkTrusted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead of modes")
	}
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
		for i, err := range []error{CheckPrivate(info), checkTrusted(info)} {
			want := []string{row.private, row.trusted}[i]
			if fmt.Sprint(err) != want || err != nil && !errors.Is(err, ErrUntrusted) {
				t.Errorf("mode %o, owner %d: %v, want %s", row.mode, row.uid, err, want)
			}
		}
	}
}
