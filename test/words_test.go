package test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// banned are words that this project once used for things that have a name in the field, and turns of phrase that must be
// read twice. The right column says what to write.
var banned = []struct{ pattern, instead string }{
	{`rooms?`, "part, package"},
	{`furnish(es|ed)?`, "build, make"},
	{`desks?`, "the commands' Env"},
	{`mistypes?|mistyped`, "usage error"},
	{`nobody`, "no identity, anonymous, not signed in"},
	{`somebody`, "another process, another user"},
	{`whoever`, "the user, the process that"},
	{`earn(s|ed|ing)?`, "obtain, acquire"},
	{`vouch(es|ed|ing)?( for)?`, "federated, issued by"},
	{`presumed`, "detected, implicit"},
	{`leftovers?`, "plaintext credential"},
	{`wired|wiring`, "configured"},
	{`estates?`, "all registries"},
	{`strangers?`, "unexpected host"},
	{`compartments?`, "keyspace"},
	{`anyhow`, "(leave it out)"},
	{`mend(s|ed|ing)?`, "fix"},
	{`shall`, "must, should"},
	{`for ever`, "forever"},
	{`letter by letter`, "verbatim"},
	{`left alone`, "skipped, unchanged, anonymous"},
	{`in clear`, "plaintext"},
	{`(is|are|was|were) to be had`, "available"},
	{`(says|tells) whether`, "reports whether"},
	{`anew`, "again"},
	{`empty-?handed`, "without a token"},
}

// notOurs are files whose text is not written by this project, and this list.
var notOurs = []string{"LICENSE", "go.sum", "test/e2e/go.sum", "test/dist/go.sum", "test/words_test.go"}

// TestWords finds words that are hard to read in code, tests, scripts and documents.
func TestWords(t *testing.T) {
	var all []string
	for _, b := range banned {
		all = append(all, b.pattern)
	}
	found := regexp.MustCompile(`(?i)\b(` + strings.Join(all, "|") + `)\b`)
	for file, content := range filesOf(t, ".go", ".txtar", ".md", ".json", ".yml", ".yaml") {
		if slices.Contains(notOurs, file) {
			continue
		}
		for i, line := range strings.Split(content, "\n") {
			if word := found.FindString(splitNames(line)); word != "" {
				t.Errorf("%s:%d: %q: write %s", file, i+1, word, instead(word))
			}
		}
	}
}

// inName is the boundary between two words of a name.
var inName = regexp.MustCompile(`([a-z])([A-Z])|_`)

// splitNames separates the words of identifiers.
func splitNames(line string) string { return inName.ReplaceAllString(line, "$1 $2") }

func instead(word string) string {
	for _, b := range banned {
		if regexp.MustCompile(`(?i)^(` + b.pattern + `)$`).MatchString(word) {
			return b.instead
		}
	}
	return ""
}
