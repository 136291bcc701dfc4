package clientconfig

import (
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff shows how a file changes, in the unified format; "" if it doesn't. These files
// hold passwords and tokens, in auths, HttpHeaders, proxies and wherever plugins put
// them: so only the names of helpers are shown, and every other value is a dot-dot-dot.
func (f File) Diff(after []byte) string {
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
	top, err := objectAt(content, 0)
	if err != nil {
		return content
	}
	jsonString := regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?`) // one with a colon behind it is a key
	for i := len(top.members) - 1; i >= 0; i-- {                 // from behind, so that offsets stay
		m := top.members[i]
		if strings.EqualFold(m.key, helpersKey) || strings.EqualFold(m.key, storeKey) {
			continue
		}
		content = splice(content, m.value, m.end, jsonString.ReplaceAllStringFunc(string(content[m.value:m.end]), func(s string) string {
			if strings.HasSuffix(s, ":") {
				return s
			}
			return `"…"`
		}))
	}
	return content
}
