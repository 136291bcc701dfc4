// Package report has what doctor's checks find, and prints it.
package report

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Status is the outcome of a check. Users read the values and scripts compare them.
type Status string

// Outcomes of a check.
const (
	Passed  Status = "ok"
	Warned  Status = "warn"
	Failed  Status = "fail"
	Skipped Status = "skip"
)

// A Finding is what a check found. Code is for scripts; Hint says what to do, "" for
// nothing.
type Finding struct {
	Status Status     `json:"status"`
	Code   fault.Code `json:"code"`
	Fact   string     `json:"fact"`
	Hint   string     `json:"hint,omitempty"`
}

// OK returns the finding of a check that found no problem.
func OK(format string, args ...any) Finding {
	return Finding{Status: Passed, Code: fault.OK, Fact: fmt.Sprintf(format, args...)}
}

// Skip returns the finding of a check that had nothing to check; it says why.
func Skip(format string, args ...any) Finding {
	return Finding{Status: Skipped, Code: fault.Skipped, Fact: fmt.Sprintf(format, args...)}
}

// Fail returns the finding of a check that found a problem. Its hint is the code's
// advice, in which Report.Add fills in the registry.
func Fail(code fault.Code, format string, args ...any) Finding {
	hint := fault.Context{Registry: placeholder}.Advice(&fault.Error{Code: code})
	return Finding{Failed, code, fmt.Sprintf(format, args...), hint}
}

// Warn is Fail for what may be a problem.
func Warn(code fault.Code, format string, args ...any) Finding {
	f := Fail(code, format, args...)
	f.Status = Warned
	return f
}

// placeholder stands for the registry in a hint.
const placeholder = "REGISTRY"

// A Result is a finding as it is reported. Its JSON, and that of a Report, is for
// scripts: fields and codes are only ever added.
type Result struct {
	Check string `json:"check"`
	// Registry is the registry that was checked; "" for the computer as a whole.
	Registry string `json:"registry,omitempty"`
	Finding
	// Milliseconds is how long the check took.
	Milliseconds int64 `json:"milliseconds"`
}

// A Report is all results.
type Report struct {
	Version string `json:"version"`
	// Registry is the registry that the user named; "" for none: then no network was
	// used.
	Registry string   `json:"registry,omitempty"`
	Failed   int      `json:"failed"`
	Warned   int      `json:"warned"`
	Checks   []Result `json:"checks"`

	// Home is the user's home directory, which is reported as ~ because its name is often
	// the user's.
	Home string `json:"-"`
	// Out gets the lines.
	Out io.Writer `json:"-"`
}

// Add adds a result, and prints it at once, because some checks take seconds. A hint that
// was printed before is not repeated.
func (r *Report) Add(result Result) {
	if result.Registry != "" {
		result.Hint = strings.ReplaceAll(result.Hint, placeholder, result.Registry)
	}
	result.Fact, result.Hint = r.line(result.Fact), r.line(result.Hint)
	switch result.Status {
	case Failed:
		r.Failed++
	case Warned:
		r.Warned++
	}
	isKnown := slices.ContainsFunc(r.Checks, func(c Result) bool { return c.Hint == result.Hint })
	r.Checks = append(r.Checks, result)
	fact := result.Fact
	if r.Registry == "" && result.Registry != "" {
		fact = result.Registry + ": " + fact
	}
	fmt.Fprintf(r.Out, "%-4s  %-11s  %-64s %5d ms\n", result.Status, result.Check, fact, result.Milliseconds)
	if result.Hint != "" && !isKnown {
		fmt.Fprintf(r.Out, "%19shint: %s\n", "", result.Hint)
	}
}

// line makes text fit on one line, and abbreviates the home directory.
func (r *Report) line(s string) string {
	if len(r.Home) > 1 {
		s = strings.ReplaceAll(s, r.Home+string(filepath.Separator), "~"+string(filepath.Separator))
	}
	return text.Line(s)
}
