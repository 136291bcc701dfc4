//go:build !linux && !darwin && !windows

package app

// Parent returns the parent's process ID and start time; "" if unknown, as here.
func Parent() string { return "" }
