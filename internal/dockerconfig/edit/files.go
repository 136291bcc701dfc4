package edit

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Files are the planned changes of several files, so that a problem with one prevents all
// changes.
type Files struct{ drafts []*Draft }

// A Draft is a file and the text that it is going to have; nil deletes the file.
type Draft struct {
	safefile.File
	Next []byte
}

// An Error is a problem with one of the files.
type Error struct {
	Path string
	Err  error
}

// Error returns the problem with the path.
func (e *Error) Error() string { return e.Path + ": " + e.Err.Error() }

// Unwrap returns the problem without the path.
func (e *Error) Unwrap() error { return e.Err }

// about adds a path to an error; nil stays nil.
func about(path string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{path, err}
}

// Open returns the draft of a file. Several paths may lead to one file.
func (f *Files) Open(path string) (*Draft, error) {
	file, err := safefile.Open(path)
	if err != nil {
		return nil, about(path, err)
	}
	for _, d := range f.drafts {
		if d.Same(file) {
			return d, nil
		}
	}
	d := &Draft{file, file.Text}
	f.drafts = append(f.drafts, d)
	return d, nil
}

// Read returns what the file is going to tell clients.
func (f *Files) Read(path string) (dockerconfig.Contents, error) {
	d, err := f.Open(path)
	if err != nil {
		return dockerconfig.Contents{}, err
	}
	contents, err := dockerconfig.Read(d.Next)
	return contents, about(path, err)
}

// Edit plans a change of a file. One that doesn't exist has no text, and isn't created if
// that doesn't change.
func (f *Files) Edit(path string, change func(text []byte) ([]byte, error)) error {
	d, err := f.Open(path)
	if err != nil {
		return err
	}
	text, err := change(d.Next)
	if err == nil && !bytes.Equal(text, d.Next) {
		err = d.Editable()
	}
	if err != nil {
		return about(path, err)
	}
	d.Next = text
	return nil
}

// Changed returns the drafts that differ from their files.
func (f *Files) Changed() (changed []*Draft) {
	for _, d := range f.drafts {
		if !bytes.Equal(d.Next, d.Text) || d.Exists != (d.Next != nil) {
			changed = append(changed, d)
		}
	}
	return changed
}

// Write writes the files, and calls written for each. As soon as it knows that every file
// can be written, it calls before; no temporary file exists meanwhile, because that call
// may take long and be interrupted.
func (f *Files) Write(before func() error, written func(*Draft)) error {
	drafts := f.Changed()
	changes, err := prepare(drafts)
	discard(changes)
	if err == nil {
		err = before()
	}
	if err != nil {
		return err
	}
	changes, err = prepare(drafts)
	defer discard(changes)
	if err != nil {
		return err
	}
	for i, d := range drafts {
		if err := changes[i].Apply(); err != nil {
			return about(d.Path, err)
		}
		written(d)
	}
	return nil
}

// prepare writes the next texts beside their files. Even with an error it returns what it
// has written until then.
func prepare(drafts []*Draft) (changes []*safefile.Change, err error) {
	for _, d := range drafts {
		c, err := d.Prepare(d.Next)
		if err != nil {
			return changes, about(d.Path, err)
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// discard deletes what was prepared and not applied.
func discard(changes []*safefile.Change) {
	for _, c := range changes {
		c.Discard()
	}
}

// Diff returns how the file changes, in the unified format. These files have passwords
// and tokens in auths, HttpHeaders, proxies and wherever plugins put them: so only the
// names of helpers are shown, and every other value is "…".
func (d *Draft) Diff() string {
	before := text.Line(d.Path)
	after := before
	if !d.Exists {
		before = os.DevNull
	}
	if d.Next == nil {
		after = os.DevNull
	}
	_, shown, _ := bytes.Cut(diff.Diff(before, redact(d.Text), after, redact(d.Next)), []byte("\n"))
	return string(shown)
}

// redact hides the values of a JSON file. Only the drop-in file is not JSON.
func redact(content []byte) []byte {
	top, err := parse(content)
	if err != nil {
		return content
	}
	for i, m := range slices.Backward(top.members) { // backwards, so that offsets stay right
		top.text = top.set(i, m.key, redactValue(string(top.value(i)), namesHelpers(m.key, top.value(i))))
	}
	return top.text
}

// redactValue hides scalars, unless they are names of helpers, and keys that may contain
// a password, as https://user:password@host does. The expressions are compiled here,
// because package variables would cost every get.
func redactValue(value string, areHelpers bool) string {
	if !areHelpers {
		scalar := regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?|-?[0-9][-+.0-9Ee]*|true|false`)
		value = scalar.ReplaceAllStringFunc(value, func(s string) string {
			if strings.HasSuffix(s, ":") {
				return s // a key
			}
			return `"…"`
		})
	}
	return regexp.MustCompile(`"(?:[^"\\]|\\.)*@(?:[^"\\]|\\.)*"\s*:`).ReplaceAllString(value, `"…":`)
}

// namesHelpers reports whether a value has names of helpers and nothing else.
func namesHelpers(key string, value []byte) bool {
	switch {
	case strings.EqualFold(key, storeKey):
		return json.Unmarshal(value, new(string)) == nil
	case strings.EqualFold(key, helpersKey):
		return json.Unmarshal(value, &map[string]string{}) == nil
	}
	return false
}
