package edit

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// An object is a JSON object in a text. Its methods that change it return the new text.
type object struct {
	text    []byte
	members []member
	layout  layout
	depth   int // 0 for the outermost object

	open, close int // after the opening brace, and before the closing one
}

// A member is a member of an object, by offsets in the text.
type member struct {
	key               string
	start, value, end int // of the key, of the value, and after it
	afterKey          int
}

// A layout is how a file is laid out.
type layout struct {
	newline string // "" if the whole object is on one line
	indent  string
	colon   string
}

// parse returns the outermost object of a text.
func parse(text []byte) (object, error) {
	if err := dockerconfig.CheckEncoding(text); err != nil {
		return object{}, err
	}
	if !json.Valid(text) {
		return object{}, fault.New(fault.ClientMalformed, "it is not a valid Docker config file (JSON)")
	}
	o, ok := parseAt(text, 0)
	if !ok {
		return object{}, fault.New(fault.ClientMalformed, "it is not a valid Docker config file (JSON)")
	}
	o.layout = o.findLayout()
	return o, nil
}

// parseAt returns the object at an offset of a valid text, which the decoder has no
// errors for; ok is false for another value.
func parseAt(text []byte, at int) (o object, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(text[at:]))
	offset := func() int { return at + int(dec.InputOffset()) }
	if first, _ := dec.Token(); first != json.Delim('{') {
		return object{}, false
	}
	o = object{text: text, open: offset()}
	for before := o.open; dec.More(); before = offset() {
		key, _ := dec.Token()
		m := member{start: before + bytes.IndexByte(text[before:], '"'), afterKey: offset()}
		m.key, _ = key.(string)
		var value json.RawMessage
		_ = dec.Decode(&value)
		m.end = offset()
		m.value = m.end - len(value)
		o.members = append(o.members, m)
	}
	_, _ = dec.Token()
	o.close = offset() - 1
	return o, true
}

// findLayout returns the layout of the first member of the outermost object; without
// members, that of Docker.
func (o object) findLayout() layout {
	l := layout{newline: "\n", indent: "\t", colon: ": "}
	if bytes.Contains(o.text, []byte("\r\n")) {
		l.newline = "\r\n"
	}
	if len(o.members) == 0 {
		return l
	}
	first := o.members[0]
	if colon := string(o.text[first.afterKey:first.value]); !strings.ContainsAny(colon, "\r\n") {
		l.colon = colon
	}
	space := string(o.text[o.open:first.start])
	end := strings.LastIndex(space, "\n")
	if end < 0 {
		l.newline = ""
	}
	l.indent = space[end+1:]
	return l
}

// child returns the object that is the value of a member; ok is false for another value.
func (o object) child(i int) (child object, ok bool) {
	child, ok = parseAt(o.text, o.members[i].value)
	child.layout, child.depth = o.layout, o.depth+1
	return child, ok
}

// find returns the index of the member with a key; -1 for none. Two are an error: clients
// in Go use the last one, other programs the first one. Clients take the keys of the
// outermost object in any case, and registries exactly.
func (o object) find(key string) (found int, err error) {
	found = -1
	for i, m := range o.members {
		if m.key != key && (o.depth > 0 || !strings.EqualFold(m.key, key)) {
			continue
		}
		if found >= 0 {
			return -1, fault.New(fault.ClientMalformed, "it has the key %q twice", key)
		}
		found = i
	}
	return found, nil
}

// value returns the text of a member's value.
func (o object) value(i int) []byte { return o.text[o.members[i].value:o.members[i].end] }

// set replaces the value of a member; with an index of -1 it adds one.
func (o object) set(i int, key, value string) []byte {
	if i < 0 {
		return o.insert(key, value)
	}
	return replace(o.text, o.members[i].value, o.members[i].end, value)
}

// insert adds a member at the end.
func (o object) insert(key, value string) []byte {
	quoted, _ := json.Marshal(key) // a string can't fail
	pair := string(quoted) + o.layout.colon + value
	switch n := len(o.members); {
	case n > 0:
		return replace(o.text, o.members[n-1].end, o.members[n-1].end, ","+o.spaceBeforeLast()+pair)
	case o.layout.newline != "":
		outer := o.layout.newline + strings.Repeat(o.layout.indent, o.depth)
		pair = outer + o.layout.indent + pair + outer
	}
	return replace(o.text, o.open, o.close, pair)
}

// spaceBeforeLast returns the space before the last member, which another one gets too.
func (o object) spaceBeforeLast() string {
	last := len(o.members) - 1
	if last > 0 {
		between := o.text[o.members[last-1].end:o.members[last].start]
		return string(between[bytes.IndexByte(between, ',')+1:])
	}
	if space := string(o.text[o.open:o.members[last].start]); strings.Contains(space, "\n") {
		return space
	}
	if strings.HasSuffix(o.layout.colon, " ") {
		return " "
	}
	return ""
}

// remove removes members by their indexes, each with the comma between it and its
// neighbor.
func (o object) remove(indexes ...int) []byte {
	end := o.close
	var rest []byte
	for i, m := range o.members {
		switch {
		case slices.Contains(indexes, i):
		case len(rest) == 0: // it becomes the first member
			rest = slices.Concat(o.text[o.open:o.members[0].start], o.text[m.start:m.end])
		default:
			rest = append(rest, o.text[o.members[i-1].end:m.end]...)
		}
	}
	if len(rest) > 0 {
		end = o.members[len(o.members)-1].end
	}
	return replace(o.text, o.open, end, string(rest))
}

// replace returns a new text in which one part is replaced.
func replace(text []byte, from, to int, by string) []byte {
	return slices.Concat(text[:from], []byte(by), text[to:])
}
