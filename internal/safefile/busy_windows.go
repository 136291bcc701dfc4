package safefile

import (
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

// lastPause bounds the waiting for other programs: pauses double from a millisecond, so
// that all together take a second.
const lastPause = 512 * time.Millisecond

// whenFree repeats what Windows refuses while another program has the file open: a virus
// scanner, Docker reading its config.json, or, on file systems without POSIX renames, this
// program in another process. (MS-FSCC FileRenameInformation; cmd/go does the same.)
func whenFree(work func() error) error {
	for pause := time.Millisecond; ; pause *= 2 {
		err := work()
		isBusy := errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION) ||
			errors.Is(err, windows.ERROR_LOCK_VIOLATION)
		if !isBusy || pause > lastPause {
			return err
		}
		time.Sleep(pause)
	}
}
