//go:build linux

// Peak runs a program and prints its peak memory in KiB, and its number of page faults that needed no disk, on standard
// error. It is a program of its own, because Linux counts the memory of the parent process as a new process's until
// exec: bench, with the fake Azure, would measure itself. Peak needs less memory than the programs that it measures.
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
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	fmt.Fprintln(os.Stderr, usage.Maxrss, usage.Minflt)
}
