package safefile

import (
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

// Waiting for other programs begins with short pauses, and stays at pauses that are short
// enough to find a moment between many readers. All together take a second.
const (
	lastPause  = 16 * time.Millisecond
	longEnough = time.Second
)

// whenFree repeats what Windows refuses while another program has the file open: a virus
// scanner, Docker reading its config.json, or, on file systems without POSIX renames, this
// program in another process. (MS-FSCC FileRenameInformation; cmd/go does the same.)
func whenFree(work func() error) error {
	pause, waited := time.Millisecond, time.Duration(0)
	for {
		err := work()
		isBusy := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
			errors.Is(err, windows.ERROR_LOCK_VIOLATION)
		if !isBusy || waited >= longEnough {
			return err
		}
		time.Sleep(pause)
		waited += pause
		pause = min(2*pause, lastPause)
	}
}
