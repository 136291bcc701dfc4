package app

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
)

const (
	// tellOnce is for how long a line is not repeated: a build asks up to 35 times.
	tellOnce   = 5 * time.Second
	toldPrefix = "told-"
)

// WasTold reports whether the same line was printed for the same parent process within the
// last five seconds, and records it if not. The records are empty directories, beside the locks that
// all vaults of the user share. Where none can be written, every line is new.
func (a *App) WasTold(line string) bool {
	parent := ""
	if a.Parent != nil {
		parent = a.Parent()
	}
	dir := a.paths.sharedLocks()
	if parent == "" || safefile.MakePrivate(dir) != nil {
		return false
	}
	a.forgetTold(dir)
	sum := sha256.Sum256([]byte(parent + "\n" + line))
	path := filepath.Join(dir, toldPrefix+hex.EncodeToString(sum[:16]))
	if err := os.Mkdir(path, 0o700); err != nil { // of processes at the same time, one makes it
		return errors.Is(err, fs.ErrExist)
	}
	_ = os.Chtimes(path, time.Time{}, a.Now())
	return false
}

// forgetTold deletes the records that no longer count, or are from the future.
func (a *App) forgetTold(dir string) {
	found, _ := os.ReadDir(dir)
	for _, f := range found {
		info, err := f.Info()
		if err != nil || !strings.HasPrefix(f.Name(), toldPrefix) {
			continue
		}
		if age := a.Now().Sub(info.ModTime()); age >= tellOnce || age < -tellOnce {
			_ = os.Remove(filepath.Join(dir, f.Name()))
		}
	}
}
