package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestDump proves that other processes of the user can't read the memory of an installed program, and that a developer can
// debug one that go build has built: /proc/PID belongs to root while a process is not dumpable.
func TestDump(t *testing.T) {
	t.Parallel()
	requireTools(t, "make")
	const user = 64999
	for _, row := range []struct {
		name      string
		build     []string
		belongsTo uint32
	}{
		{"installed", []string{"go", "build", "-trimpath"}, 0},
		{"built by a developer", []string{"go", "build", "-trimpath=false"}, user},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), program)
			build := exec.Command(row.build[0], append(row.build[1:], "-o", path, "./credential-helper/"+program)...)
			build.Dir = "../.."
			build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for dir := path; dir != os.TempDir() && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
				_ = os.Chmod(dir, 0o755) // for the other user
			}
			cmd := exec.Command(path, "get")
			cmd.Env = []string{"HOME=/nonexistent"}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
			stdin, err := cmd.StdinPipe() // it waits for its request
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Wait()
			defer stdin.Close()
			memory := fmt.Sprintf("/proc/%d/mem", cmd.Process.Pid)
			var stat syscall.Stat_t
			time.Sleep(time.Second) // it has started, and waits for its request
			if err := syscall.Stat(memory, &stat); err != nil {
				t.Fatal(err)
			}
			if stat.Uid != row.belongsTo {
				t.Errorf("%s belongs to %d", memory, stat.Uid)
			}
		})
	}
}
