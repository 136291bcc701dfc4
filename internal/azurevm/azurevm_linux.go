package azurevm

import "os"

func detect() bool { return detectLinux(os.DirFS("/")) }

// machineID is systemd's, which most other systems have, too (machine-id(5)).
func machineID() string {
	id, err := os.ReadFile("/etc/machine-id")
	if name, errName := os.Hostname(); err != nil && errName == nil {
		return name
	}
	return string(id)
}
