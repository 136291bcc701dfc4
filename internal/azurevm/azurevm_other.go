//go:build !linux && !windows && !freebsd

package azurevm

// detect is false on systems that Azure VMs do not run.
func detect() bool { return false }
