package keyring

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func openFile(t *testing.T) (*Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	r, err := Open(Settings{Choice: "file", KeyFile: path, Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	return r, path
}

func TestFileKeepsTheKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "deep", "key")
	r, err := Open(Settings{Choice: "file", KeyFile: path, Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Key(t.Context(), "file"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("before: %v", err)
	}
	made, err := r.Make(t.Context(), "file", free)
	if err != nil {
		t.Fatal(err)
	}
	read, err := r.Key(t.Context(), "file")
	if err != nil || !bytes.Equal(made, read) || bytes.Equal(read, make([]byte, KeySize)) {
		t.Errorf("read back: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, want the key alone: %v", left, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for p, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v: %v", p, info.Mode(), want, err)
		}
	}
}

func TestFileWithoutAPlace(t *testing.T) {
	r, err := Open(Settings{Choice: "file", Getenv: noEnv})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Make(t.Context(), "file", free); !errors.Is(err, ErrUnavailable) {
		t.Error(err)
	}
}

func TestFileIsRefusedWhenOthersCouldHaveIt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no mode bits, and links need a privilege")
	}
	good := encode(bytes.Repeat([]byte{7}, KeySize))
	put := func(t *testing.T, path string, mode os.FileMode) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path, []byte(good), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		lay    func(t *testing.T, path string)
		saying string
	}{
		{"group may read", func(t *testing.T, path string) { put(t, path, 0o640) }, "chmod 600 "},
		{"others may write", func(t *testing.T, path string) { put(t, path, 0o602) }, "chmod 600 "},
		{"symlink", func(t *testing.T, path string) {
			put(t, path+".real", 0o600)
			if err := os.Symlink(path+".real", path); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		{"directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, "not a regular file"},
		{"another's", func(t *testing.T, path string) {
			put(t, path, 0o600)
			if err := os.Chown(path, 65534, -1); err != nil {
				t.Skip("only root can give files away")
			}
		}, "another user"},
		{"no directory", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Dir(path), 0o600)
		}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, path := openFile(t)
			tt.lay(t, path)
			_, err := r.Key(t.Context(), "file")
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), tt.saying) || !strings.Contains(err.Error(), path) {
				t.Errorf("Key: %v", err)
			}
			if strings.Contains(err.Error(), good) {
				t.Error("the error shows the key")
			}
			if _, err := r.Make(t.Context(), "file", free); !errors.Is(err, ErrUnavailable) {
				t.Errorf("Make: %v", err)
			}
		})
	}
}

// Even without the lock two makers end with one key.
func TestFileWriteYieldsToTheFirst(t *testing.T) {
	h := fileHome{filepath.Join(t.TempDir(), "key")}
	first, second := newKey(), newKey()
	if err := errors.Join(h.write(t.Context(), first), h.write(t.Context(), second)); err != nil {
		t.Fatal(err)
	}
	if key, err := h.read(t.Context()); err != nil || !bytes.Equal(key, first) {
		t.Errorf("the first key did not stay: %v", err)
	}
}

func TestFiftyProcessesMakeOneKeyFile(t *testing.T) {
	binary, dir := self(t)
	o := order{Do: "get", Choice: "file", KeyFile: filepath.Join(dir, "vault", "key"), Lock: filepath.Join(dir, "lock")}
	child{binary: binary}.fifty(t, o)
}

func TestFileIsDestroyed(t *testing.T) {
	r, path := openFile(t)
	if err := r.Delete(t.Context(), "file", free); !errors.Is(err, ErrNotFound) {
		t.Errorf("no key: %v", err)
	}
	if _, err := r.Make(t.Context(), "file", free); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), "file", free); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	if err := os.WriteFile(path, []byte("somebody's notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Delete(t.Context(), "file", free); !errors.Is(err, ErrUnavailable) {
		t.Errorf("what is no key: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("what is no key is gone: %v", err)
	}
}
