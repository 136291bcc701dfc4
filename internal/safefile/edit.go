package safefile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// A File is a file of another program as it was when it was read, for it to be edited.
// Mode, group and symbolic links stay as they are.
type File struct {
	// Path is where its readers find it.
	Path string
	// Text is its content; Exists tells an empty file from none.
	Text   []byte
	Exists bool
	// Mode is the file's; for a new one that of files with secrets, unless the caller
	// sets another.
	Mode fs.FileMode

	target  string      // behind symbolic links
	foreign bool        // belongs to another user, or a new file would be in another user's directory
	info    fs.FileInfo // nil for a file that doesn't exist
}

// Open reads a file. One that doesn't exist is empty.
func Open(path string) (f File, err error) {
	f = File{Path: path, Mode: 0o600}
	if f.target, err = resolveLinks(path); err != nil {
		return f, Bare(err)
	}
	info, err := os.Stat(f.target)
	if errors.Is(err, fs.ErrNotExist) {
		f.foreign = os.Geteuid() == 0 && !IsOwn(nearestDir(f.target)) // sudo, with the home of another user
		return f, nil
	}
	if err != nil {
		return f, Bare(err)
	}
	f.Mode, f.Exists, f.foreign, f.info = info.Mode().Perm(), true, !IsOwn(info), info
	f.Text, err = Read(f.target, MaxText)
	return f, err
}

// maxLinks is Linux's limit.
const maxLinks = 40

// resolveLinks follows symbolic links, also those to files that don't exist yet, for
// which filepath.EvalSymlinks has no answer. A link is relative to the directory that it
// is really in.
func resolveLinks(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if errors.Is(err, fs.ErrNotExist) {
			dir, err = resolveLinks(filepath.Dir(path))
		}
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		link, notLink := os.Readlink(path)
		if notLink != nil {
			return path, nil // the end, or what Stat will complain about
		}
		if path = link; !filepath.IsAbs(link) {
			path = filepath.Join(dir, link)
		}
	}
	return "", errors.New("its symbolic links form a loop")
}

// nearestDir returns the closest directory above path that exists.
func nearestDir(path string) fs.FileInfo {
	for {
		path = filepath.Dir(path)
		if info, err := os.Stat(path); err == nil || path == filepath.Dir(path) {
			return info
		}
	}
}

// Same reports whether two paths lead to the same file.
func (f File) Same(other File) bool { return f.target == other.target }

// Editable returns why the file can't be edited; nil if it can.
func (f File) Editable() error {
	if f.foreign { // the new file would belong to root, and the user would lose it
		return fault.New(fault.FileForeign, "it belongs to another user")
	}
	return nil
}

// A Change is a file's next text in a temporary file beside it, ready to replace it, so
// that a problem with one of several files is found before the first is replaced.
type Change struct {
	file File
	temp string // "" where the file is deleted
}

// Prepare writes the file's next text; nil deletes the file. Discard a Change that isn't
// applied.
func (f File) Prepare(text []byte) (*Change, error) {
	if text == nil {
		return &Change{file: f}, f.unchanged()
	}
	path := filepath.Dir(f.target)
	if err := os.MkdirAll(path, f.Mode|f.Mode&0o444>>2); err != nil { // who can read the file can search the directory
		return nil, Bare(err)
	}
	dir, err := os.OpenRoot(path)
	if err != nil {
		return nil, Bare(err)
	}
	defer dir.Close()
	temp, err := writeTemp(dir, "."+filepath.Base(f.target)+".", text, attributes{f.Mode, f.info, true})
	c := &Change{f, filepath.Join(path, temp)}
	if err == nil {
		err = f.unchanged()
	}
	if err != nil {
		c.Discard()
		return nil, Bare(err)
	}
	return c, nil
}

// Apply replaces the file. It fails if another program has written the file since it was
// read.
func (c *Change) Apply() error {
	if err := c.file.unchanged(); err != nil {
		return err
	}
	if c.temp == "" {
		return Bare(whenFree(func() error { return os.Remove(c.file.Path) }))
	}
	return Bare(whenFree(func() error { return os.Rename(c.temp, c.file.target) }))
}

// Discard deletes what was prepared. After Apply it does nothing.
func (c *Change) Discard() {
	if c.temp != "" {
		_ = os.Remove(c.temp)
	}
}

func (f File) unchanged() error {
	now, err := Open(f.Path)
	if err != nil {
		return err
	}
	if !now.Same(f) || now.Exists != f.Exists || !bytes.Equal(now.Text, f.Text) {
		return fault.New(fault.ClientFileChanged, "another program has just changed it")
	}
	return nil
}
