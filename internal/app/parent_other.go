//go:build !linux && !darwin && !windows

package app

// Parent returns what tells the process that runs this one from others; "" where that isn't
// known, as here.
func Parent() string { return "" }
