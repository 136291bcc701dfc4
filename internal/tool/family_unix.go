//go:build unix

package tool

import (
	"os/exec"
	"syscall"
)

// killFamily ends a tool with all its children when its time is up: az is a
// shell script, and the Python beneath it would wait on for ever.
func killFamily(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// detach keeps a browser from ending with us, or by a Ctrl-C that is meant for us.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
