//go:build unix

package safefile

// whenFree is for Windows: here files that are open can be replaced.
func whenFree(work func() error) error { return work() }
