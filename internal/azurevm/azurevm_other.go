//go:build !linux && !windows && !freebsd

package azurevm

// detect is false on systems that Azure VMs do not run.
func detect() bool { return false }

// machineID is unknown: macOS tells it to other programs only.
func machineID() string { return "" }
