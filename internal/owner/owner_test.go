package owner_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
)

func TestModesAndOwners(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access lists instead of modes")
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		mode             os.FileMode
		uid              int
		private, trusted string
	}{
		{0o600, -1, "", ""},
		{0o400, -1, "", ""},
		{0o644, -1, "it is open to other users", ""},
		{0o664, -1, "it is open to other users", "other users can write to it"},
		{0o602, -1, "it is open to other users", "other users can write to it"},
		{0o600, 12345, "it belongs to another user", "it belongs to another user"},
	} {
		if row.uid >= 0 && os.Getuid() != 0 {
			continue // only root can give files away
		}
		if err := os.Chown(path, row.uid, -1); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, row.mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := owner.Private(info); got != row.private {
			t.Errorf("mode %o, owner %d: private %q", row.mode, row.uid, got)
		}
		if got := owner.Trusted(info); got != row.trusted {
			t.Errorf("mode %o, owner %d: trusted %q", row.mode, row.uid, got)
		}
	}
}
