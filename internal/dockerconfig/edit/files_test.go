package edit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

func TestFiles_Write(t *testing.T) {
	set := func([]byte) ([]byte, error) { return []byte("new"), nil }
	failed := errors.New("failed")
	for _, row := range []struct {
		name     string
		file     string // beside a good one
		before   error
		wantCall bool
		want     string // the good one's content
	}{
		{"all", "other", nil, true, "new"},
		{"before fails", "other", failed, true, "old"},
		{"no directory can be made", "good/other", nil, false, "old"},
	} {
		dir := t.TempDir()
		good, other := filepath.Join(dir, "good"), filepath.Join(dir, row.file)
		if err := os.WriteFile(good, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		var files Files
		unset := func(text []byte) ([]byte, error) { return UnsetHelper(text, isName("")) }
		none := filepath.Join(dir, "none") // isn't made
		err := errors.Join(files.Edit(good, set), files.Edit(none, unset), files.Edit(none, UnsetStore),
			files.Edit(none, UnsetDropIn))
		if err != nil {
			t.Fatal(err)
		}
		err = files.Edit(other, set)
		called, written := false, 0
		before := func() error { called = true; return row.before }
		if err == nil {
			err = files.Write(before, func(*Draft) { written++ })
		}
		content, _ := os.ReadFile(good)
		if string(content) != row.want || called != row.wantCall || (err == nil) != (written == 2) {
			t.Errorf("%s: %q, called %v, wrote %d, %v", row.name, content, called, written, err)
		}
		if entries, _ := os.ReadDir(dir); row.want == "old" && len(entries) != 1 {
			t.Errorf("%s: left %v", row.name, entries)
		}
	}
}

func TestFiles_Read_names_the_file(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := new(Files).Read(path)
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Path != path || fault.CodeOf(err) != fault.ClientMalformed {
		t.Error(err)
	}
}
