package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/hint"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
)

// A status is a check's outcome. The values are what people read and scripts compare.
type status string

const (
	okay    status = "ok"
	warned  status = "warn"
	failed  status = "fail"
	skipped status = "skip"
)

// A finding is what a check says.
type finding struct {
	status           status
	code, fact, hint string
}

func ok(format string, args ...any) finding {
	return finding{status: okay, code: codeOK, fact: fmt.Sprintf(format, args...)}
}

func skip(format string, args ...any) finding {
	return finding{status: skipped, code: codeSkipped, fact: fmt.Sprintf(format, args...)}
}

func warn(code, format string, args ...any) finding {
	return finding{warned, code, fmt.Sprintf(format, args...), hints[code]}
}

func fail(code, format string, args ...any) finding {
	return finding{failed, code, fmt.Sprintf(format, args...), hints[code]}
}

// because is a failure that one of the rooms tells, with its code and hint.
func (e *exam) because(err error) finding {
	f := finding{status: failed, code: cmp.Or(failure.Code(err), codeFailed), fact: err.Error()}
	about := &credhelper.Error{Registry: e.host.String(), Source: e.id.Source, Err: err}
	if e.id.Source != "" {
		about.Identity = e.id.String()
	}
	f.hint = hint.For(about)
	return f
}

// A result is a finding as it is reported. Its JSON, and that of a report, is for
// scripts: fields and codes are added, never renamed.
type result struct {
	Check string `json:"check"`
	// Registry is what it is about; empty for the machine as a whole.
	Registry string `json:"registry,omitempty"`
	Status   status `json:"status"`
	Code     string `json:"code"`
	Fact     string `json:"fact"`
	Hint     string `json:"hint,omitempty"`
	// Milliseconds is what the check took.
	Milliseconds int64 `json:"milliseconds"`
}

// A report is all results.
type report struct {
	Version string `json:"version"`
	// Registry is the one that was named; empty for none, and then no network was
	// used.
	Registry string   `json:"registry,omitempty"`
	Failed   int      `json:"failed"`
	Warned   int      `json:"warned"`
	Checks   []result `json:"checks"`

	home string
	out  io.Writer // gets lines while checks run
}

// add takes a result in, and shows it: some take seconds.
func (r *report) add(found result) {
	found.Fact, found.Hint = r.fit(found.Fact), r.fit(found.Hint)
	switch found.Status {
	case failed:
		r.Failed++
	case warned:
		r.Warned++
	}
	said := slices.ContainsFunc(r.Checks, func(c result) bool { return c.Hint == found.Hint })
	r.Checks = append(r.Checks, found)
	fact := found.Fact
	if r.Registry == "" && found.Registry != "" {
		fact = found.Registry + ": " + fact
	}
	fmt.Fprintf(r.out, "%-4s  %-11s  %-64s %5d ms\n", found.Status, found.Check, fact, found.Milliseconds)
	if found.Hint != "" && !said {
		fmt.Fprintf(r.out, "%19shint: %s\n", "", found.Hint)
	}
}

// fit keeps a text to its line, and the home directory, which holds a name, out.
func (r *report) fit(text string) string {
	if len(r.home) > 1 {
		text = strings.ReplaceAll(text, r.home, "~")
	}
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, text)
}

func (r *report) end(out io.Writer, asJSON, named bool) error {
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	}
	if !named {
		fmt.Fprintln(r.out, "\nNo network was used. To look further, name a registry: docker-credential-acr doctor REGISTRY")
	}
	return nil
}
