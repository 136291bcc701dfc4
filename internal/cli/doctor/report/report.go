// Package report has what doctor's checks find, and prints it.
package report

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
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
	// Print prints what is laid out for the Screen; nil prints nothing.
	Print  func(string) error `json:"-"`
	Screen screen.Screen      `json:"-"`
	// Verbose prints every check to a terminal, too, and how long it took. A pipe always
	// gets that.
	Verbose bool `json:"-"`
}

// shown are the checks whose facts users want to see although there is no problem, for the
// registry that they named; of others a terminal gets the names.
var shown = []string{"clients", "docker", "podman", "identity", "permissions"}

// Add adds a result, and prints it at once, because some checks take seconds; but for the
// passes that End folds. A hint that was printed before is not repeated.
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
	if r.IsFolded() && (result.Status == Passed || result.Status == Skipped) {
		return
	}
	r.print(result.Status, result.Check, r.fact(result))
	if result.Hint != "" && !isKnown {
		r.out(r.hintIndent(), result.Hint)
	}
}

// IsFolded reports whether passes are printed in the end only, as a summary.
func (r *Report) IsFolded() bool { return r.Screen.IsTerminal() && !r.Verbose }

// End prints what Add has folded.
func (r *Report) End() {
	if !r.IsFolded() {
		return
	}
	if r.Failed+r.Warned > 0 {
		r.out("", "")
	}
	var skipped, passed, problems []string
	for _, c := range r.Checks {
		if c.Status == Failed || c.Status == Warned {
			problems = append(problems, c.Check)
		}
	}
	for _, c := range r.Checks {
		switch {
		case c.Status == Skipped:
			skipped = append(skipped, c.Check)
		case c.Status == Passed && c.Registry == r.Registry && slices.Contains(shown, c.Check):
			r.print(Passed, c.Check, screen.Shorten(r.fact(c)))
		case c.Status == Passed && !slices.Contains(append(passed, problems...), c.Check):
			passed = append(passed, c.Check)
		}
	}
	r.print(Passed, "also fine", strings.Join(passed, ", "))
	if skipped != nil {
		slices.Sort(skipped)
		r.print(Skipped, "not tried", strings.Join(slices.Compact(skipped), ", "))
	}
}

// Symbols of the outcomes.
var symbols = map[Status]string{
	Passed: screen.OK, Warned: screen.Warning, Failed: screen.Problem, Skipped: screen.Nothing,
}

// hintIndent is small on a terminal, so that commands fit on a line.
func (r *Report) hintIndent() string {
	if r.Screen.IsTerminal() {
		return strings.Repeat(" ", 4)
	}
	return strings.Repeat(" ", 19)
}

// print prints a line. A fact that is too long for it goes on under itself.
func (r *Report) print(status Status, check, fact string) {
	r.out(fmt.Sprintf("%s%-4s  %-11s  ", r.Screen.Mark(symbols[status]), status, check), fact)
}

// fact is what is printed of a result.
func (r *Report) fact(result Result) string {
	fact := result.Fact
	if r.Registry == "" && result.Registry != "" {
		fact = result.Registry + ": " + fact
	}
	switch {
	case !r.Screen.IsTerminal():
		return fmt.Sprintf("%-64s %5d ms", fact, result.Milliseconds)
	case r.Verbose:
		return fmt.Sprintf("%s (%d\u00a0ms)", fact, result.Milliseconds)
	}
	return fact
}

// out prints text after what its first line begins with.
func (r *Report) out(before, text string) {
	if r.Print != nil {
		_ = r.Print(before + r.Screen.Wrap(utf8.RuneCountInString(before), text) + "\n")
	}
}

// line makes text fit on one line, and abbreviates the home directory.
func (r *Report) line(s string) string {
	if len(r.Home) > 1 {
		s = strings.ReplaceAll(s, r.Home+string(filepath.Separator), "~"+string(filepath.Separator))
	}
	return text.Line(s)
}
