package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
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
	share(t, path)
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
	share(t, write(t, filepath.Join(path, "open"), "x", 0o600))
	files := map[string]error{"file": nil, "open": ErrUntrusted}
	if runtime.GOOS != "windows" { // where links need a privilege
		check(t, os.Symlink("file", filepath.Join(path, "link")))
		files["link"] = ErrNotRegular
	}
	for name, want := range files {
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

// Windows tools write more than the text.
func TestText(t *testing.T) {
	for content, want := range map[string]string{
		"":                   "",
		"a":                  "a",
		"{}":                 "{}",
		"\xef\xbb\xbf{}":     "{}",
		"\xef\xbb\xbf":       "",
		"\xff\xfe{\x00}\x00": "UTF-16",
		"\xfe\xff\x00{\x00}": "UTF-16",
		"{\x00}\x00":         "UTF-16",
		"\x00{\x00}":         "UTF-16",
		"\x30\x82\x00\x00":   "\x30\x82\x00\x00", // PKCS#12
		"\x00\x00\x00\x00":   "\x00\x00\x00\x00",
		"\xff":               "\xff",
	} {
		got, err := Text([]byte(content))
		if want == "UTF-16" {
			want = ""
			if !errors.Is(err, ErrUTF16) {
				t.Errorf("%q: %v", content, err)
			}
		} else if err != nil {
			t.Errorf("%q: %v", content, err)
		}
		if string(got) != want {
			t.Errorf("%q: %q", content, got)
		}
	}
}

// A directory that only needs chmod is told from a file system without modes, at the cost of a file that must not stay.
func TestCheckPrivate_of_an_open_directory(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no modes
	}
	path := t.TempDir()
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := must(os.OpenRoot(path))
	defer dir.Close()
	if err := CheckPrivate(dir); fault.CodeOf(err) != fault.FileOpen {
		t.Error(err)
	}
	if entries := must(os.ReadDir(path)); len(entries) > 0 {
		t.Errorf("%v stays", entries)
	}
}
