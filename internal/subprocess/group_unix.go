//go:build unix

package subprocess

import (
	"os/exec"
	"syscall"
)

// programExtensions returns what the names of programs end with.
func programExtensions(func(string) string) []string { return []string{""} }

// runGroup runs a program, and makes the end of its time kill its children too: az is a
// shell script, and the Python that it starts would otherwise go on forever.
func runGroup(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd.Run()
}

// detach keeps a browser from ending with this program, or from getting a Ctrl-C that is
// meant for it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
