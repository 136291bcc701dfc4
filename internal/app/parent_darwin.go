package app

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Parent returns the parent's process ID and start time (systems reuse process IDs); "" if
// unknown.
func Parent() string {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", os.Getppid())
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Proc.P_pid, info.Proc.P_starttime.Sec, info.Proc.P_starttime.Usec)
}
