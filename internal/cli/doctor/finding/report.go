package finding

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
)

// A Result is a finding as it is reported. Its JSON, and that of a Report, is for
// scripts: fields and codes are added, never renamed.
type Result struct {
	Check string `json:"check"`
	// Registry is what it is about; empty for the machine as a whole.
	Registry string `json:"registry,omitempty"`
	Status   Status `json:"status"`
	Code     string `json:"code"`
	Fact     string `json:"fact"`
	Hint     string `json:"hint,omitempty"`
	// Milliseconds is what the check took.
	Milliseconds int64 `json:"milliseconds"`
}

// A Report is all results.
type Report struct {
	Version string `json:"version"`
	// Registry is the one that was named; empty for none, and then no network was
	// used.
	Registry string   `json:"registry,omitempty"`
	Failed   int      `json:"failed"`
	Warned   int      `json:"warned"`
	Checks   []Result `json:"checks"`

	// Home is the directory that stands as ~ in what is reported.
	Home string `json:"-"`
	// Out gets lines while checks run.
	Out io.Writer `json:"-"`
}

// Add takes a result in, and shows it: some take seconds.
func (r *Report) Add(found Result) {
	found.Fact, found.Hint = r.fit(found.Fact), r.fit(found.Hint)
	switch found.Status {
	case Failed:
		r.Failed++
	case Warned:
		r.Warned++
	}
	said := slices.ContainsFunc(r.Checks, func(c Result) bool { return c.Hint == found.Hint })
	r.Checks = append(r.Checks, found)
	fact := found.Fact
	if r.Registry == "" && found.Registry != "" {
		fact = found.Registry + ": " + fact
	}
	fmt.Fprintf(r.Out, "%-4s  %-11s  %-64s %5d ms\n", found.Status, found.Check, fact, found.Milliseconds)
	if found.Hint != "" && !said {
		fmt.Fprintf(r.Out, "%19shint: %s\n", "", found.Hint)
	}
}

// fit keeps a text to its line, and the home directory, which holds a name, out.
func (r *Report) fit(text string) string {
	if len(r.Home) > 1 {
		text = strings.ReplaceAll(text, r.Home+string(filepath.Separator), "~"+string(filepath.Separator))
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}

// End prints what there is to print in the end: everything, as JSON, or a word on what
// was left out.
func (r *Report) End(out io.Writer, asJSON, named bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	if !named {
		fmt.Fprintln(r.Out, "\nNo network was used. To look further, name a registry: docker-credential-acr doctor REGISTRY")
	}
	return nil
}
