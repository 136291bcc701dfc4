package keystore

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
)

func TestChosen(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	record := filepath.Join(filepath.Dir(key), ChoiceName)
	if got := Chosen(key) + Chosen("") + Chosen("/missing/key"); got != "" {
		t.Errorf("before: %q", got)
	}
	for _, backend := range []string{OS, Kernel, File} {
		if err := Choose(key, backend); err != nil || Chosen(key) != backend {
			t.Errorf("%s: %q, %v", backend, Chosen(key), err)
		}
	}
	for text, mode := range map[string]os.FileMode{"none": 0o600, "auto": 0o600, "": 0o600, "paper": 0o600, "file": 0o644, "os": 0o620} {
		err := errors.Join(os.WriteFile(record, []byte(text), 0o600), os.Chmod(record, mode))
		if got := Chosen(key); (got != "" || err != nil) && (runtime.GOOS != "windows" || mode == 0o600) {
			t.Errorf("%q, mode %v: %q, %v", text, mode, got, err)
		}
	}
	err := errors.Join(os.Chmod(record, 0o600), Choose(key, ""))
	if _, missing := os.Stat(record); err != nil || !os.IsNotExist(missing) {
		t.Errorf("deleted: %v, %v", err, missing)
	}
}

// TestOpen_follows: what was chosen once decides what auto uses, after an OS keyring that is there.
func TestOpen_follows(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems have no kernel keyring")
	}
	for _, row := range []struct {
		choice, follow, bus string
		want                []string
		demanded            bool
	}{
		{"auto", "", "", []string{Kernel}, false},
		{"auto", Kernel, "", []string{Kernel}, false},
		{"auto", Kernel, "unix:path=/missing", []string{OS, Kernel}, false},
		{"auto", File, "", []string{File, Kernel}, false},
		{"", File, "unix:path=/missing", []string{OS, File, Kernel}, false},
		{"auto", OS, "", []string{OS}, false},
		{"kernel", File, "", []string{Kernel}, true},
		{"none", File, "", nil, true},
	} {
		getenv := func(name string) string { return map[string]string{"DBUS_SESSION_BUS_ADDRESS": row.bus}[name] }
		store := open(t, Settings{Choice: row.choice, Follow: row.follow, KeyFile: "/missing/key", Getenv: getenv})
		if !slices.Equal(store.Backends(), row.want) || store.IsDemanded() != row.demanded {
			t.Errorf("%+v: %q, demanded %v", row, store.Backends(), store.IsDemanded())
		}
	}
}
