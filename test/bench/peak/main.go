//go:build linux

// Peak runs a program and prints, on standard error, the most memory that it
// held, in KiB. It is a program because Linux counts the memory of whoever
// starts a process as that process's own until it has replaced it: bench, with
// the sandbox in it, would report itself. Peak holds less than what it measures.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	cmd := exec.Command(os.Args[1], os.Args[2:]...)
	cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stderr, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
}
