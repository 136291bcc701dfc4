package config

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// asOther calls f as a user without rights to root's files; the thread that becomes that user ends.
func asOther(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, 65534, 0, 0) // changes nothing for a user who isn't root
		f()
	}()
	<-done
}

// Administrators' tools make files that only root can read.
func TestLoad_file_that_only_root_can_read(t *testing.T) {
	for _, row := range []struct {
		what      string
		dir, file os.FileMode
		code      fault.Code
		advice    string // about the directory DIR
	}{
		{"a closed file", 0o755, 0, fault.ConfigDenied, "Run: sudo chmod 644 DIR/config.json (it has no secrets)"},
		{"a closed directory", 0, 0o644, fault.ConfigDirectory, "Run: sudo chmod 755 DIR"},
	} {
		top, err := os.MkdirTemp("", "config")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(top)
		dir := filepath.Join(top, "docker-credential-acr")
		path := filepath.Join(dir, "config.json")
		for _, step := range []error{
			os.Chmod(top, 0o755), os.Mkdir(dir, 0o755), os.WriteFile(path, []byte("{}"), 0o644), os.Chmod(path, row.file), os.Chmod(dir, row.dir),
		} {
			if step != nil {
				t.Fatal(step)
			}
		}
		asOther(func() { err = Load("", path).Err() })
		os.Chmod(dir, 0o755)
		advice := fault.Context{}.Advice(err)
		if fault.CodeOf(err) != row.code || advice != strings.Replace(row.advice, "DIR", dir, 1) {
			t.Errorf("%s: %s: %v. %s", row.what, fault.CodeOf(err), err, advice)
		}
	}
}
