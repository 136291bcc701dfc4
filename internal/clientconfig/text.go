package clientconfig

import (
	"bytes"
	"encoding/json"
	"strings"
)

// An object is where a JSON object stands in a text. People and other programs keep
// their own order and indentation in these files, and want them back as they were:
// so nothing is decoded and encoded anew, but the text is cut at these offsets.
type object struct {
	open, close int // behind the opening brace, and before the closing one
	members     []member
}

// A member is one of an object's.
type member struct {
	key           string
	start, keyEnd int
	value, end    int
}

// objectAt finds the members of the object that begins at an offset of a valid text.
func objectAt(text []byte, at int) (object, error) {
	dec := json.NewDecoder(bytes.NewReader(text[at:]))
	offset := func() int { return at + int(dec.InputOffset()) }
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return object{}, malformed("it is not a JSON object")
	}
	o := object{open: offset()}
	for before := o.open; dec.More(); before = offset() {
		key, err := dec.Token()
		if err != nil {
			return object{}, malformed("it is not valid JSON")
		}
		m := member{key: key.(string), keyEnd: offset(), start: before + bytes.IndexByte(text[before:], '"')}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return object{}, malformed("it is not valid JSON")
		}
		m.end = offset()
		m.value = m.end - len(value)
		o.members = append(o.members, m)
	}
	_, err := dec.Token()
	o.close = offset() - 1
	return o, err
}

// find looks a member up; -1 if there is none. Clients written in Go take a key of
// their own in any case of letters, and the last of several: two are one too many.
func (o object) find(key string, same func(a, b string) bool) (found int, err error) {
	found = -1
	for i, m := range o.members {
		if !same(m.key, key) {
			continue
		}
		if found >= 0 {
			return -1, malformed("it names %q twice", key)
		}
		found = i
	}
	return found, nil
}

// style is how a file is laid out.
type style struct {
	newline string // "" if all of it stands on one line
	indent  string
	colon   string
}

// styleOf goes by the first member; without one it is as Docker writes.
func styleOf(text []byte, top object) style {
	s := style{newline: "\n", indent: "\t", colon: ": "}
	if bytes.Contains(text, []byte("\r\n")) {
		s.newline = "\r\n"
	}
	if len(top.members) == 0 {
		return s
	}
	first := top.members[0]
	if colon := string(text[first.keyEnd:first.value]); !strings.ContainsAny(colon, "\r\n") {
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

// insert adds a member at the end of an object that lies so deep.
func insert(text []byte, o object, depth int, s style, key, value string) []byte {
	quoted, _ := json.Marshal(key) // a string can't fail
	pair := string(quoted) + s.colon + value
	n := len(o.members)
	switch {
	case n > 0:
		return splice(text, o.members[n-1].end, o.members[n-1].end, ","+leadOf(text, o, s)+pair)
	case s.newline == "":
		return splice(text, o.open, o.close, pair)
	}
	inner, outer := s.newline+strings.Repeat(s.indent, depth+1), s.newline+strings.Repeat(s.indent, depth)
	return splice(text, o.open, o.close, inner+pair+outer)
}

// leadOf is the space before another member, as it is before the last one.
func leadOf(text []byte, o object, s style) string {
	last := o.members[len(o.members)-1]
	if len(o.members) > 1 {
		between := text[o.members[len(o.members)-2].end:last.start]
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

// remove takes a member out, with the comma that parted it from its neighbour.
func remove(text []byte, o object, i int) []byte {
	switch {
	case len(o.members) == 1:
		return splice(text, o.open, o.close, "")
	case i == 0:
		return splice(text, o.members[0].start, o.members[1].start, "")
	}
	return splice(text, o.members[i-1].end, o.members[i].end, "")
}

// splice returns a new text with one part replaced.
func splice(text []byte, from, to int, by string) []byte {
	return append(append(append(make([]byte, 0, len(text)+len(by)), text[:from]...), by...), text[to:]...)
}
