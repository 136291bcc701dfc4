package safefile

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// hold opens a file as programs do that let no other one replace it.
func hold(t *testing.T, path string) (release func()) {
	t.Helper()
	name := must(windows.UTF16PtrFromString(path))
	h := must(windows.CreateFile(name, windows.GENERIC_READ, windows.FILE_SHARE_READ, nil, windows.OPEN_EXISTING, 0, 0))
	return func() { windows.CloseHandle(h) }
}

// TestWrite_over_open_files has another program that closes the file in time, and one that doesn't.
func TestWrite_over_open_files(t *testing.T) {
	path, dir := openRoot(t)
	file := write(t, filepath.Join(path, "file"), "old", 0o600)
	for what, work := range map[string]func() error{
		"a file of the vault": func() error { return Write(dir, "file", []byte("new"), true) },
		"a client's file":     func() error { return replace(file, "new", 0) },
	} {
		write(t, file, "old", 0o600)
		release := hold(t, file)
		if err := work(); err == nil {
			t.Errorf("%s: replaced although another program had it open", what)
		}
		time.AfterFunc(50*time.Millisecond, release)
		if err := work(); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if text := string(must(Read(file, 10))); text != "new" {
			t.Errorf("%s: %q", what, text)
		}
	}
	if left := must(filepath.Glob(filepath.Join(path, "*"))); len(left) != 1 {
		t.Errorf("left behind: %q", left)
	}
}
