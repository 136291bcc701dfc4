package main

import (
	"runtime/debug"
	"slices"

	"golang.org/x/sys/unix"
)

// forbidDumps keeps secrets out of core dumps, and other processes of the user from
// reading this one's memory (PR_SET_DUMPABLE(2const)). It is worth little more than that:
// the same user can run the helper itself. A program that go build made in a checkout can
// still be debugged; make and releases build with -trimpath, and go install PACKAGE@VERSION
// knows the module's checksum.
func forbidDumps() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	isTrimmed := func(s debug.BuildSetting) bool { return s.Key == "-trimpath" && s.Value == "true" }
	if info.Main.Sum != "" || slices.ContainsFunc(info.Settings, isTrimmed) {
		_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
}
