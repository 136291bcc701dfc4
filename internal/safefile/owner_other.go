//go:build !unix

package safefile

import (
	"io/fs"
	"os"
)

func owner(fs.FileInfo) (uid int, known bool) { return 0, false }

// keepGroup does nothing where files belong to no group.
func keepGroup(*os.File, fs.FileInfo) error { return nil }

func group(fs.FileInfo) int { return -1 }
