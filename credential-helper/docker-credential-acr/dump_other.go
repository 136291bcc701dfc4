//go:build !linux

package main

// forbidDumps does nothing: other systems write no core dumps unless they are told to.
func forbidDumps() {}
