package app

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// Parent returns the number of the process that runs this one, and when it started: numbers
// are used again. It is "" where that isn't known.
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
