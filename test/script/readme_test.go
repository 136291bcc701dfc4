package script

import (
	"os"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// readmeCommand holds what the README shows against what the last command printed: each
// line of the sample that begins with "$ COMMAND" must be there, with other times:
//
//	readme COMMAND...
func readmeCommand(ts *testscript.TestScript, _ bool, args []string) {
	document, err := os.ReadFile("../../README.md")
	ts.Check(err)
	prompt := "```console\n$ " + strings.Join(args, " ") + "\n"
	_, sample, found := strings.Cut(string(document), prompt)
	if !found {
		ts.Fatalf("the README shows nothing of %q", args)
	}
	sample, _, _ = strings.Cut(sample, "```")
	printed := colors.ReplaceAllString(ts.ReadFile("stdout"), "")
	for line := range strings.Lines(sample) {
		if pattern := likeness(strings.TrimSpace(line)); !pattern.MatchString(printed) {
			ts.Fatalf("nothing is printed like the README's\n%s(%s)", line, pattern)
		}
	}
}

// colors are what the command terminal makes of escape sequences.
var colors = regexp.MustCompile(`\^\[\[[0-9]+m`)

// differs is what is different on every machine and in every run, by what it matches.
var differs = []struct{ what, matches string }{
	{`the OS keyring`, `a file of [^.]+`},
	{`…`, `.*`},
	{`\b(\d+h)?\d+m\b|\b\d+ ms`, `(\d+h)?\d+m|\d+ ms`},
	{` +`, ` +`},
}

// likeness is a pattern for a line of the README.
func likeness(line string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(line)
	for _, d := range differs {
		pattern = regexp.MustCompile(d.what).ReplaceAllLiteralString(pattern, "(?:"+d.matches+")")
	}
	return regexp.MustCompile(`(?m)^ *` + pattern + ` *$`)
}
