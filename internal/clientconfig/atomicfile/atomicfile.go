// Package atomicfile reads other programs' files and replaces them in one step: whoever
// reads meanwhile gets the old text or the new one. What is a file's stays its own: mode,
// group and symlinks.
package atomicfile

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
)

// Codes of an Error.
const (
	CodeChanged = "client-file-changed"
	CodeForeign = "client-file-foreign"
)

// An Error is why a file was left as it is.
type Error struct{ code, why string }

func (e *Error) Error() string { return e.why }

// Code is what to look a hint up by.
func (e *Error) Code() string { return e.code }

// A File is a file as it was when it was read.
type File struct {
	// Path is where its readers find it.
	Path string
	// Text is its content; Exists tells an empty file from none.
	Text   []byte
	Exists bool
	// Mode is the file's, which stays; of one that is yet to be made, that of files
	// with secrets, unless one sets another.
	Mode fs.FileMode

	target  string      // behind symlinks
	foreign bool        // belongs to another user, or lies where another user's would
	info    fs.FileInfo // nil for a file that isn't there
}

// Read reads a file; one that isn't there is empty. The error leaves it to the caller to
// name the file.
func Read(path string) (f File, err error) {
	defer func() { err = Bare(err) }()
	f = File{Path: path, Mode: 0o600}
	if f.target, err = behind(path); err != nil {
		return f, err
	}
	info, err := os.Stat(f.target)
	if errors.Is(err, fs.ErrNotExist) {
		f.foreign = os.Geteuid() == 0 && !owner.Mine(nearest(f.target)) // as sudo with a home of the user's
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Mode, f.Exists, f.foreign, f.info = info.Mode().Perm(), true, !owner.Mine(info), info
	f.Text, err = owner.ReadRegular(f.target)
	return f, err
}

// behind follows symlinks, also those that lead to what isn't there yet. A link is
// relative to the directory in which it really lies.
func behind(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if errors.Is(err, fs.ErrNotExist) {
			dir, err = behind(filepath.Dir(path)) // itself a link to what isn't there yet, perhaps
			return filepath.Join(dir, filepath.Base(path)), err
		}
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil // the end, or what Stat will say is wrong
		}
		if path = link; !filepath.IsAbs(link) {
			path = filepath.Join(dir, link)
		}
	}
	return "", errors.New("its symlinks go round in circles")
}

// maxLinks is Linux's limit.
const maxLinks = 40

// nearest is the closest directory that is there.
func nearest(path string) fs.FileInfo {
	for {
		path = filepath.Dir(path)
		if info, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return info
		}
	}
}

// Same says whether two paths lead to the same file.
func (f File) Same(other File) bool { return f.target == other.target }

// Editable says why the file must stay as it is; nil if it need not.
func (f File) Editable() error {
	if f.foreign { // what took its place would be ours, and lost to them
		return &Error{CodeForeign, "it belongs to another user"}
	}
	return nil
}

// A Change is a file's next text, which lies beside it and is ready to take its place,
// so that what is in the way of one of several files is seen before the first is written.
type Change struct {
	file File
	next string // a temporary file; "" where the file goes
}

// Prepare makes ready what the file is to become; nil means that it goes. Mode and
// symlinks stay. Discard what isn't applied.
func (f File) Prepare(text []byte) (c *Change, err error) {
	defer func() { err = Bare(err) }()
	c = &Change{file: f}
	if text == nil {
		return c, f.unchanged()
	}
	dir := filepath.Dir(f.target)
	if err := os.MkdirAll(dir, f.Mode|f.Mode&0o444>>2); err != nil { // whoever may read may enter
		return nil, err
	}
	next, err := os.CreateTemp(dir, "."+filepath.Base(f.target)+".*")
	if err != nil {
		return nil, err
	}
	c.next = next.Name()
	mode := f.Mode
	if f.info != nil && owner.KeepGroup(next, f.info) != nil {
		mode &^= 0o070 // another group would read it than did before
	}
	_, err = next.Write(text)
	err = cmp.Or(err, next.Chmod(mode), next.Sync())
	if err = cmp.Or(err, next.Close(), f.unchanged()); err != nil {
		c.Discard()
		return nil, err
	}
	return c, nil
}

// Apply puts the text in the file's place, in one step: whoever reads meanwhile gets
// the old text or the new one. It refuses if somebody else has written the file since
// it was read.
func (c *Change) Apply() error {
	if err := c.file.unchanged(); err != nil {
		return err
	}
	if c.next == "" {
		return Bare(os.Remove(c.file.Path))
	}
	return Bare(os.Rename(c.next, c.file.target))
}

// Discard takes back what was prepared. After Apply it does nothing.
func (c *Change) Discard() {
	if c.next != "" {
		_ = os.Remove(c.next)
	}
}

// Bare takes the paths out of an error: they may be those of a temporary file, or lie
// behind a symlink, and callers name the file as people do.
func Bare(err error) error {
	if failed := new(fs.PathError); errors.As(err, &failed) {
		return failed.Err
	}
	if failed := new(os.LinkError); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

func (f File) unchanged() error {
	now, err := Read(f.Path)
	if err != nil {
		return err
	}
	if !now.Same(f) || now.Exists != f.Exists || !bytes.Equal(now.Text, f.Text) {
		return &Error{CodeChanged, "somebody else has just written it"}
	}
	return nil
}
