package app

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Parent returns the number of the process that runs this one, and when it started: numbers
// are used again. It is "" where that isn't known.
func Parent() string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", os.Getppid())
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Proc.P_pid, info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec)
}
