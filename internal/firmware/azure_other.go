//go:build !linux && !windows && !freebsd

package firmware

// azureVM is false where Azure has no machines of the kind.
func azureVM() bool { return false }
