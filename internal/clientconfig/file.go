package clientconfig

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
)

// A File is one of a client's files, as it was when it was read.
type File struct {
	// Path is where clients find it.
	Path string
	// Text is its content; Exists tells an empty file from none.
	Text   []byte
	Exists bool
	// Mode is the file's, which stays; of one that is yet to be made, that of files
	// with secrets, unless one sets another.
	Mode fs.FileMode

	target string // behind symlinks
}

// ReadFile reads a client's file; one that isn't there is empty.
func ReadFile(path string) (File, error) {
	f := File{Path: path, target: path, Mode: 0o600}
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if link, err := os.Readlink(path); err == nil { // which leads to what isn't there yet
			f.target = link
			if !filepath.IsAbs(link) {
				f.target = filepath.Join(filepath.Dir(path), link)
			}
		}
		return f, nil
	}
	if err != nil {
		return f, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return f, err
	}
	if !owner.Mine(info) { // the replaced file would be ours, and lost to them
		return f, &Error{CodeForeignFile, "it belongs to another user"}
	}
	f.target, f.Mode, f.Exists = target, info.Mode().Perm(), true
	f.Text, err = owner.ReadRegular(target)
	return f, err
}

// Replace writes the file anew, in one step: whoever reads meanwhile gets the old text
// or the new one. Mode and symlinks stay. It refuses if somebody else has written it
// since it was read.
func (f File) Replace(text []byte) error {
	if err := f.unchanged(); err != nil {
		return err
	}
	dir := filepath.Dir(f.target)
	if err := os.MkdirAll(dir, f.Mode|f.Mode&0o444>>2); err != nil { // whoever may read may enter
		return err
	}
	next, err := os.CreateTemp(dir, "."+filepath.Base(f.target)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(next.Name()) // after the rename there is nothing left to remove
	_, err = next.Write(text)
	err = cmp.Or(err, next.Chmod(f.Mode), next.Sync())
	if err := cmp.Or(err, next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), f.target)
}

// Remove deletes the file.
func (f File) Remove() error {
	if err := f.unchanged(); err != nil {
		return err
	}
	return os.Remove(f.Path)
}

func (f File) unchanged() error {
	now, err := ReadFile(f.Path)
	if err != nil {
		return err
	}
	if now.Exists != f.Exists || !bytes.Equal(now.Text, f.Text) {
		return &Error{CodeChanged, "somebody else has just written it"}
	}
	return nil
}
