package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Problem is something wrong in a config file.
type Problem struct {
	// Path is the file. Line and Column are where in it, counted from 1 in characters; 0 for
	// the file as a whole.
	Path         string
	Line, Column int
	// Pattern is the host or pattern of the wrong entry, which stops the registries that it
	// matches; "" for what stops every registry.
	Pattern string
	// Reason says what is wrong, Suggestion what may be meant; "" for unknown.
	Reason, Suggestion string

	cause error // an error that says it all; nil for none
}

// StopsAll reports whether the problem stops every registry.
func (p Problem) StopsAll() bool { return p.Pattern == "" }

// Message is the reason, with the suggestion.
func (p Problem) Message() string {
	if p.Suggestion != "" {
		return p.Reason + "; did you mean " + p.Suggestion + "?"
	}
	return p.Reason
}

// Err returns the problem as an error.
func (p Problem) Err() error {
	switch {
	case p.cause != nil:
		return p.cause
	case p.Line == 0:
		return fault.New(fault.Config, "config file %s: %s", p.Path, p.Message())
	}
	return fault.New(fault.Config, "config file %s: %s (line %d, column %d)", p.Path, p.Message(), p.Line, p.Column)
}

// A parser parses the text of a file, and collects all that is wrong.
type parser struct {
	path     string
	text     []byte
	problems []Problem
}

// A member is a member of a JSON object: its key, and where key and value are in the text.
type member struct {
	key                 string
	at, value, valueEnd int
}

// add adds a problem, which is in an entry or with "" elsewhere. A position of -1 is none.
func (p *parser) add(at int, pattern, suggestion, format string, args ...any) {
	problem := Problem{Path: p.path, Pattern: pattern, Reason: fmt.Sprintf(format, args...), Suggestion: suggestion}
	if pattern != "" {
		problem.Reason = pattern + ": " + problem.Reason
	}
	if at >= 0 {
		before := p.text[:min(at, len(p.text))]
		problem.Line = 1 + bytes.Count(before, []byte("\n"))
		problem.Column = 1 + utf8.RuneCount(before[1+bytes.LastIndexByte(before, '\n'):])
	}
	p.problems = append(p.problems, problem)
}

// parse parses a config file.
func parse(path string, content []byte) file {
	p := &parser{path: path}
	f := file{path: path, parser: p, registries: map[string]parsedEntry{}}
	var err error
	if p.text, err = safefile.Text(content); err == nil && len(bytes.TrimSpace(p.text)) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		p.add(-1, "", "", "%v", err)
		return f
	}
	// As a raw message the text is only checked.
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(p.text, new(json.RawMessage))); ok {
		p.add(int(syntax.Offset)-1, "", "", "%s", explain(syntax))
		return f
	}
	p.each(member{valueEnd: len(p.text)}, "", false, func(m member) {
		switch m.key {
		case "$schema": // for editors
		case "registries":
			p.each(m, "", true, func(m member) { f.registries[m.key] = p.entry(m) })
		case "clouds":
			p.each(m, "", false, func(m member) { f.clouds = append(f.clouds, p.cloud(m)...) })
		case "delegate":
			f.delegate, err = parseDelegate(p.text[m.value:m.valueEnd])
			p.check(m, err)
		case "keyring":
			f.keyring, err = parseKeyring(p.text[m.value:m.valueEnd])
			p.check(m, err)
		default:
			keys := []string{"registries", "clouds", "delegate", "keyring"}
			p.add(m.at, "", text.Nearest(m.key, keys), "unknown key %q", m.key)
		}
	})
	return f
}

// explain says what is wrong with JSON, in the words of its users, not of its parser.
func explain(err *json.SyntaxError) string {
	said := err.Error()
	for _, row := range []struct{ part, means string }{
		{"unexpected end", "it ends in the middle of the JSON object"},
		{"after top-level value", "there is something after the end of the JSON object"},
		{"invalid character '/'", "JSON has no comments"},
		{"invalid character '#'", "JSON has no comments"},
		{`invalid character '\''`, "JSON needs double quotes"},
		{"invalid character '}' looking for beginning of object key", "there is a comma before this }"},
		{"invalid character ']' looking for beginning of value", "there is a comma before this ]"},
		{"in literal", "text must be in double quotes"},
		{"in string literal", "a string has no closing quote on its line"},
		{"after object key:value pair", "there is no comma before this"},
		{"after array element", "there is no comma before this"},
		{"after object key", "there is no colon before this"},
		{"looking for beginning of object key", "a key must be in double quotes"},
		{"looking for beginning of value", "there is no JSON value here"},
	} {
		if strings.Contains(said, row.part) {
			return row.means
		}
	}
	return said
}

// check adds a problem of a member's value, if there is one.
func (p *parser) check(m member, err error) {
	if err != nil {
		p.add(m.value, "", "", "%v", err)
	}
}

// each calls visit with the members of an object, each key once: a key must not appear
// twice, or differ in case, which encoding/json allows. The object is a part of the pattern's
// entry, "" for none, or its members are entries.
func (p *parser) each(object member, pattern string, areEntries bool, visit func(member)) {
	decoder := json.NewDecoder(bytes.NewReader(p.text[object.value:object.valueEnd]))
	offset := func() int { return object.value + int(decoder.InputOffset()) }
	if open, _ := decoder.Token(); open != json.Delim('{') {
		p.add(object.value, pattern, "", "it must be a JSON object")
		return
	}
	seen := map[string]bool{}
	for before := offset(); decoder.More(); before = offset() {
		key, _ := decoder.Token() // the text is valid
		m := member{at: before + bytes.IndexByte(p.text[before:], '"')}
		m.key, _ = key.(string)
		var value json.RawMessage
		_ = decoder.Decode(&value)
		m.valueEnd = offset()
		m.value = m.valueEnd - len(value)
		about := pattern
		if areEntries {
			about = m.key
		}
		if seen[m.key] {
			p.add(m.at, about, "", "%q appears twice", m.key)
		} else {
			visit(m)
		}
		seen[m.key] = true
	}
}

// entry parses an entry of registries.
func (p *parser) entry(m member) parsedEntry {
	e := parsedEntry{at: m.at, keys: map[string]int{}, Entry: Entry{
		Pattern: m.key, Source: identity.Source{Kind: identity.FromConfig, Name: p.path, Pattern: m.key},
	}}
	fields := map[string]any{}
	for key, field := range e.fields() {
		fields[key] = field
	}
	p.values(m, m.key, fields, e.keys)
	return e
}

// values parses an object into fields, each of which points to a string or a bool, and
// records where its keys stand.
func (p *parser) values(object member, pattern string, fields map[string]any, keys map[string]int) {
	p.each(object, pattern, false, func(m member) {
		field, ok := fields[m.key]
		switch {
		case !ok:
			p.add(m.at, pattern, text.Nearest(m.key, slices.Sorted(maps.Keys(fields))), "unknown key %q", m.key)
		case string(p.text[m.value:m.valueEnd]) == "null" || json.Unmarshal(p.text[m.value:m.valueEnd], field) != nil:
			kind := "a string"
			if _, isBool := field.(*bool); isBool {
				kind = "true or false"
			}
			p.add(m.value, pattern, "", "%s must be %s", m.key, kind)
		default:
			keys[m.key] = m.value
		}
	})
}

// cloud parses one of the clouds; nil for a wrong one.
func (p *parser) cloud(m member) registry.Clouds {
	var authority, audience, azureCLI string
	readsDocument := true
	before := len(p.problems)
	p.values(m, "", map[string]any{
		"authority": &authority, "audience": &audience, "azureCLI": &azureCLI, "openidConfiguration": &readsDocument,
	}, map[string]int{})
	for i := range p.problems[before:] {
		p.problems[before+i].Reason = m.key + ": " + p.problems[before+i].Reason
	}
	if len(p.problems) > before {
		return nil
	}
	if audience != "" && !isAudience(audience) {
		p.add(m.at, "", "", "%s: audience %q is not of the form https://HOST", m.key, audience)
		return nil
	}
	cloud, err := registry.NewCloud(m.key, authority, azureCLI, audience)
	if err != nil {
		p.add(m.at, "", "", "%v", err)
		return nil
	}
	cloud.StandardEndpoints = !readsDocument
	return registry.Clouds{cloud}
}

// parseDelegate parses the name of a helper, which becomes part of a program's name.
func parseDelegate(content []byte) (name string, err error) {
	switch err := json.Unmarshal(content, &name); {
	case err != nil:
		return "", errors.New("delegate must be a string")
	case name == "" || !text.Only(name, text.Lower+text.Digits+"-") || strings.HasPrefix(name, "docker-credential-"):
		const wants = "a helper without its prefix: \"desktop\" for docker-credential-desktop"
		return "", fmt.Errorf("delegate %q must be %s", name, wants)
	case name == "acr":
		const why = "that is this program; remove it to store other registries' logins here"
		return "", errors.New("delegate can't be \"acr\": " + why)
	}
	return name, nil
}

// keyrings are the values of keyring.
var keyrings = []string{"auto", "os", "kernel", "file", "none"}

// parseKeyring parses where the encryption key is kept.
func parseKeyring(content []byte) (name string, err error) {
	if json.Unmarshal(content, &name) != nil || !slices.Contains(keyrings, name) {
		return "", fmt.Errorf("keyring must be one of: %s", strings.Join(keyrings, ", "))
	}
	return name, nil
}
