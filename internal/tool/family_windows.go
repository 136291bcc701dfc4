package tool

import (
	"os/exec"
	"syscall"
)

// killFamily keeps a tool from opening a console window. Its children end by
// themselves when their pipes close.
func killFamily(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{HideWindow: true}
}

// detach has nothing to do: a browser isn't a console program.
func detach(*exec.Cmd) {}
