// Package finding is what doctor's checks say, and how that is reported.
package finding

import (
	"fmt"
	"strings"
)

// A Status is a check's outcome. The values are what people read and scripts compare.
type Status string

// What a check may end with.
const (
	Okay    Status = "ok"
	Warned  Status = "warn"
	Failed  Status = "fail"
	Skipped Status = "skip"
)

// A Finding is what a check says. Code is for scripts, Hint what to do; "" for nothing.
type Finding struct {
	Status           Status
	Code, Fact, Hint string
}

// OK says that all is well.
func OK(format string, args ...any) Finding {
	return Finding{Status: Okay, Code: codeOK, Fact: fmt.Sprintf(format, args...)}
}

// Skip says why there was nothing to look at.
func Skip(format string, args ...any) Finding {
	return Finding{Status: Skipped, Code: codeSkipped, Fact: fmt.Sprintf(format, args...)}
}

// Warn says what might be wrong. The code has a hint.
func Warn(code, format string, args ...any) Finding {
	return Finding{Warned, code, fmt.Sprintf(format, args...), hints[code]}
}

// Fail says what is wrong. The code has a hint.
func Fail(code, format string, args ...any) Finding {
	return Finding{Failed, code, fmt.Sprintf(format, args...), hints[code]}
}

// About fills the registry in.
func (f Finding) About(host string) Finding { return f.Replace("REGISTRY", host) }

// Replace fills a word of the hint in.
func (f Finding) Replace(word, by string) Finding {
	f.Hint = strings.ReplaceAll(f.Hint, word, by)
	return f
}
