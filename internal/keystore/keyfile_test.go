package keystore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func openFile(t *testing.T) (store *Store, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "new", "deep", "key")
	return open(t, Settings{Choice: "file", KeyFile: path}), path
}

// writeText writes a key file.
func writeText(path, text string, mode os.FileMode) error {
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600),
		os.Chmod(path, mode))
}

func TestKeyFile_Create(t *testing.T) {
	store, path := openFile(t)
	if _, err := store.Key(t.Context(), File); kind(err) != "not found" {
		t.Fatalf("before: %v", err)
	}
	created, createErr := store.Create(t.Context(), File, uncontended)
	read, err := store.Key(t.Context(), File)
	if createErr != nil || err != nil || !bytes.Equal(created, read) || bytes.Equal(read, make([]byte, KeySize)) {
		t.Errorf("created: %v, read back: %v", createErr, err)
	}
	if entries := must(os.ReadDir(filepath.Dir(path))); len(entries) != 1 {
		t.Errorf("the directory has %v, want only the key", entries)
	}
	if runtime.GOOS == "windows" {
		return // it has no mode bits
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if mode := must(os.Stat(p)).Mode().Perm(); mode != want {
			t.Errorf("%s has mode %v, want %v", p, mode, want)
		}
	}
}

// An editor may have added a byte order mark.
func TestKeyFile_Key_of_an_editor(t *testing.T) {
	store, path := openFile(t)
	created := must(store.Create(t.Context(), File, uncontended))
	text := "\ufeff" + encode(created) + "\r\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if read, err := store.Key(t.Context(), File); err != nil || !bytes.Equal(created, read) {
		t.Error(err)
	}
}

func TestKeyFile_Create_without_directory(t *testing.T) {
	_, err := open(t, Settings{Choice: "file"}).Create(t.Context(), File, uncontended)
	if kind(err) != "unavailable" || err.Error() != "the key file can't be used: there is no directory for it" {
		t.Error(err)
	}
}

// TestKeyFile_Create_keeps_first_key proves that two processes end with one key even without a lock.
func TestKeyFile_Create_keeps_first_key(t *testing.T) {
	f := keyFile{filepath.Join(t.TempDir(), "key")}
	first, second := newKey(), newKey()
	err := errors.Join(f.Create(t.Context(), first), f.Create(t.Context(), second))
	if key, keyErr := f.Key(t.Context()); err != nil || keyErr != nil || !bytes.Equal(key, first) {
		t.Errorf("the first key did not stay: %v, %v", err, keyErr)
	}
}

func TestKeyFile_Key_rejects_untrusted_files(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits, and links need a privilege")
	}
	good := encode(bytes.Repeat([]byte{7}, KeySize))
	for _, row := range []struct {
		name  string
		place func(t *testing.T, path string) error
		want  string // in the error
	}{
		{"group can read", func(_ *testing.T, path string) error { return writeText(path, good, 0o640) }, "other users have access to it"},
		{"others can write", func(_ *testing.T, path string) error { return writeText(path, good, 0o602) }, "other users have access to it"},
		{"symbolic link", func(_ *testing.T, path string) error {
			return errors.Join(writeText(path+".real", good, 0o600), os.Symlink(path+".real", path))
		}, "not a regular file"},
		{"relative symbolic link", func(_ *testing.T, path string) error {
			return errors.Join(writeText(path+".real", good, 0o600), os.Symlink("key.real", path))
		}, "not a regular file"},
		{"directory", func(_ *testing.T, path string) error { return os.MkdirAll(path, 0o700) }, "not a regular file"},
		{"another user's", func(t *testing.T, path string) error {
			if os.Geteuid() != 0 {
				t.Skip("only root can change a file's owner")
			}
			return errors.Join(writeText(path, good, 0o600), os.Chown(path, 65534, -1))
		}, "another user"},
		{"file instead of its directory", func(_ *testing.T, path string) error {
			return writeText(filepath.Dir(path), good, 0o600)
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			store, path := openFile(t)
			if err := row.place(t, path); err != nil {
				t.Fatal(err)
			}
			_, err := store.Key(t.Context(), File)
			if kind(err) != "unavailable" || !strings.Contains(err.Error(), row.want) ||
				!strings.Contains(err.Error(), path) || strings.Contains(err.Error(), good) {
				t.Fatalf("Key: %v", err)
			}
			if _, err := store.Create(t.Context(), File, uncontended); kind(err) != "unavailable" {
				t.Errorf("Create: %v", err)
			}
		})
	}
}

func TestKeyFile_Delete(t *testing.T) {
	store, path := openFile(t)
	must(store.Create(t.Context(), File, uncontended))
	for _, want := range []string{"", "not found"} {
		if err := store.Delete(t.Context(), File, uncontended); kind(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the key is still there: %v", err)
		}
	}
	if err := writeText(path, otherValue, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), File, uncontended); kind(err) != "not a key" {
		t.Errorf("another value: %v", err)
	}
	must(os.Lstat(path))
}
