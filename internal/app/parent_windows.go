package app

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Parent returns the parent's process ID and start time (systems reuse process IDs); "" if
// unknown.
func Parent() string {
	pid := os.Getppid()
	process, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(pid))
	if err != nil {
		return ""
	}
	defer windows.CloseHandle(process)
	var start, exit, kernel, user windows.Filetime
	if windows.GetProcessTimes(process, &start, &exit, &kernel, &user) != nil {
		return ""
	}
	return fmt.Sprint(pid, " ", start.Nanoseconds())
}
