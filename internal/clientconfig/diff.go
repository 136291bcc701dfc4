package clientconfig

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"unicode"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/atomicfile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig/layout"
)

// Diff shows how a file changes, in the unified format; "" if it doesn't. These files
// hold passwords and tokens, in auths, HttpHeaders, proxies and wherever plugins put
// them: so only the names of helpers are shown, and every other value is a dot-dot-dot.
func Diff(f atomicfile.File, after []byte) string {
	old, next := f.Path, f.Path
	if !f.Exists {
		old = os.DevNull
	}
	if after == nil {
		next = os.DevNull
	}
	_, shown, _ := bytes.Cut(diff.Diff(old, masked(f.Text), next, masked(after)), []byte("\n"))
	return string(shown)
}

// masked hides the values of a file in JSON. A drop-in file is our own.
func masked(content []byte) []byte {
	if !json.Valid(content) {
		return content
	}
	top, err := layout.At(content, 0)
	if err != nil {
		return content
	}
	for i := len(top.Members) - 1; i >= 0; i-- { // from behind, so that offsets stay
		m := top.Members[i]
		value := string(content[m.Value:m.End])
		if namesHelpers(m.Key, []byte(value)) {
			value = withoutUsers(value)
		} else {
			value = hidden(value)
		}
		content = layout.Splice(content, m.Value, m.End, value)
	}
	return content
}

// namesHelpers says whether a value holds names of helpers and nothing else.
func namesHelpers(key string, value []byte) bool {
	switch {
	case strings.EqualFold(key, storeKey):
		return json.Unmarshal(value, new(string)) == nil
	case strings.EqualFold(key, helpersKey):
		return json.Unmarshal(value, &map[string]string{}) == nil
	}
	return false
}

// hidden replaces strings, numbers and truths. A string with a colon behind it is a
// key.
func hidden(value string) string {
	return withoutUsers(regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?|-?[0-9][-+.0-9Ee]*|true|false`).ReplaceAllStringFunc(value, func(s string) string {
		if strings.HasSuffix(s, ":") {
			return s
		}
		return `"…"`
	}))
}

// withoutUsers hides keys that may have a password in them: https://user:password@host.
func withoutUsers(value string) string {
	return regexp.MustCompile(`"(?:[^"\\]|\\.)*@(?:[^"\\]|\\.)*"\s*:`).ReplaceAllString(value, `"…":`)
}

// Shown is a server's name in a file as it may be shown: on one line, and without what
// stands before the @ of an address, which may be a password.
func Shown(name string) string {
	if i := strings.LastIndex(name, "@"); i >= 0 {
		name = "…" + name[i:]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, name)
}
