package azurevm

import (
	"os"
	"strings"
)

func detect() bool { return detectLinux(os.DirFS("/")) }

// machineID is systemd's, which most other systems have, too; "uninitialized" is none, as
// in an image (machine-id(5)).
func machineID() string {
	content, _ := os.ReadFile("/etc/machine-id")
	if id := strings.TrimSpace(string(content)); len(id) == 32 {
		return id
	}
	name, _ := os.Hostname()
	return name
}
