//go:build unix

package subprocess

import (
	"os/exec"
	"syscall"
)

// killProcessGroup makes the end of a program's time kill its children too: az is a shell
// script, and the Python that it starts would otherwise go on forever.
func killProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// detach keeps a browser from ending with this program, or from getting a Ctrl-C that is
// meant for it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
