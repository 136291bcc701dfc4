// Package layout changes members of JSON objects in a text and leaves everything else
// as it stands. People and other programs keep their own order and indentation in their
// files, and want them back: so nothing is decoded and encoded anew, but the text is cut
// at the offsets of what changes.
package layout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// An Object is where a JSON object stands in a text.
type Object struct {
	// Members are in the order of the text.
	Members []Member

	open, close int // behind the opening brace, and before the closing one
}

// A Member is one of an object's.
type Member struct {
	Key string
	// Value and End are where its value begins, and where it has ended.
	Value, End int

	start, keyEnd int
}

var errNotValid = errors.New("it is not valid JSON")

// At finds the members of the object that begins at an offset of a valid text.
func At(text []byte, at int) (Object, error) {
	dec := json.NewDecoder(bytes.NewReader(text[at:]))
	offset := func() int { return at + int(dec.InputOffset()) }
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return Object{}, errors.New("it is not a JSON object")
	}
	o := Object{open: offset()}
	for before := o.open; dec.More(); before = offset() {
		key, err := dec.Token()
		if err != nil {
			return Object{}, errNotValid
		}
		m := Member{Key: key.(string), keyEnd: offset(), start: before + bytes.IndexByte(text[before:], '"')}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return Object{}, errNotValid
		}
		m.End = offset()
		m.Value = m.End - len(value)
		o.Members = append(o.Members, m)
	}
	_, err := dec.Token()
	o.close = offset() - 1
	return o, err
}

// Find looks a member up; -1 if there is none. Clients written in Go take a key of
// their own in any case of letters, and the last of several: two are one too many.
func (o Object) Find(key string, same func(a, b string) bool) (found int, err error) {
	found = -1
	for i, m := range o.Members {
		if !same(m.Key, key) {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("it names %q twice", key)
		}
		found = i
	}
	return found, nil
}

// A Style is how a file is laid out.
type Style struct {
	newline string // "" if all of it stands on one line
	indent  string
	colon   string
}

// StyleOf goes by the first member of the outermost object; without one it is as Docker
// writes.
func StyleOf(text []byte, top Object) Style {
	s := Style{newline: "\n", indent: "\t", colon: ": "}
	if bytes.Contains(text, []byte("\r\n")) {
		s.newline = "\r\n"
	}
	if len(top.Members) == 0 {
		return s
	}
	first := top.Members[0]
	if colon := string(text[first.keyEnd:first.Value]); !strings.ContainsAny(colon, "\r\n") {
		s.colon = colon
	}
	lead := string(text[top.open:first.start])
	end := strings.LastIndex(lead, "\n")
	if end < 0 {
		s.newline = ""
	}
	s.indent = lead[end+1:]
	return s
}

// Insert adds a member at the end of an object that lies so deep.
func Insert(text []byte, o Object, depth int, s Style, key, value string) []byte {
	quoted, _ := json.Marshal(key) // a string can't fail
	pair := string(quoted) + s.colon + value
	n := len(o.Members)
	switch {
	case n > 0:
		return Splice(text, o.Members[n-1].End, o.Members[n-1].End, ","+leadOf(text, o, s)+pair)
	case s.newline == "":
		return Splice(text, o.open, o.close, pair)
	}
	inner, outer := s.newline+strings.Repeat(s.indent, depth+1), s.newline+strings.Repeat(s.indent, depth)
	return Splice(text, o.open, o.close, inner+pair+outer)
}

// leadOf is the space before another member, as it is before the last one.
func leadOf(text []byte, o Object, s Style) string {
	last := o.Members[len(o.Members)-1]
	if len(o.Members) > 1 {
		between := text[o.Members[len(o.Members)-2].End:last.start]
		return string(between[bytes.IndexByte(between, ',')+1:])
	}
	if lead := string(text[o.open:last.start]); strings.Contains(lead, "\n") {
		return lead
	}
	if strings.HasSuffix(s.colon, " ") {
		return " "
	}
	return ""
}

// Remove takes a member out, with the comma that parted it from its neighbour.
func Remove(text []byte, o Object, i int) []byte {
	switch {
	case len(o.Members) == 1:
		return Splice(text, o.open, o.close, "")
	case i == 0:
		return Splice(text, o.Members[0].start, o.Members[1].start, "")
	}
	return Splice(text, o.Members[i-1].End, o.Members[i].End, "")
}

// Splice returns a new text with one part replaced.
func Splice(text []byte, from, to int, by string) []byte {
	return append(append(append(make([]byte, 0, len(text)+len(by)), text[:from]...), by...), text[to:]...)
}
