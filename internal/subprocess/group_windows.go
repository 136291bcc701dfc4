package subprocess

import (
	"os/exec"
	"syscall"
)

// killProcessGroup keeps a program from opening a console window. Its children end when
// their pipes close.
func killProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true}
}

// detach does nothing: a browser isn't a console program.
func detach(*exec.Cmd) {}
