package app

import (
	"os"
	"strconv"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

// Parent returns the parent's process ID and start time (systems reuse process IDs); "" if
// unknown.
func Parent() string {
	pid := strconv.Itoa(os.Getppid())
	stat, err := safefile.Read("/proc/"+pid+"/stat", safefile.MaxText)
	if err != nil {
		return ""
	}
	// proc_pid_stat(5): the name in parentheses may have spaces; starttime is the 22nd field,
	// and the name is the second.
	const startTime = 22 - 3
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) <= startTime {
		return ""
	}
	return pid + " " + fields[startTime]
}
