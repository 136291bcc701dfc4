// Package fault has the program's one type of error. Each has a code, which scripts
// compare and advice is looked up by; what a code means and what to do about it is in
// one table, which docs/codes.md prints.
package fault

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// An Error says what failed and why, in one lower-case sentence without a full stop. It
// never quotes what a server or another program sent, unless Reason was made of it on
// purpose.
type Error struct {
	// Code tells failures apart; see the table.
	Code Code
	// Subject begins the sentence: a host, a program, "the registry". It is "" where
	// Reason is the whole sentence.
	Subject string
	// Reason continues it; "" takes the meaning of the code.
	Reason string
	// Status is the HTTP status of a refusal, 0 for none; CorrelationID is what
	// Microsoft's support asks for, "" for none. The sentence ends with both.
	Status        int
	CorrelationID string
	// Object is what the error is about, if the advice needs it, as in a shell: a path, or the
	// name of a variable, keyring or cloud; "" for none.
	Object string
	// RetryAfter is how long a server asks to wait; 0 if it doesn't say.
	RetryAfter time.Duration
	// Cause is what errors.Is and errors.As find. It is not printed, because it may quote
	// a server.
	Cause error
}

// New returns an Error with a formatted reason.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Reason: fmt.Sprintf(format, args...)}
}

// Because returns the error for something that fails because of err, whose code and wait
// it keeps. code is for an err that has none.
func Because(what string, code Code, err error) *Error {
	return &Error{
		Code: cmp.Or(CodeOf(err), code), Reason: what + ": " + err.Error(), RetryAfter: RetryAfter(err), Cause: err,
	}
}

// InvalidValue returns the code for a value with something around it, or for a placeholder,
// and the reason, which continues the value's name; "" for any other value.
func InvalidValue(value string) (code Code, reason string) {
	if surroundings := text.Surroundings(value); surroundings != "" {
		return VariableQuotes, surroundings
	}
	if text.IsPlaceholder(value) {
		return VariablePlaceholder, "is a placeholder that was not replaced"
	}
	return "", ""
}

// InvalidVariable returns the error for a variable whose value can't be used, with the
// reason that continues its name, or with what surrounds the value, if that is the cause.
func InvalidVariable(code Code, variable, value, reason string) *Error {
	if cause, why := InvalidValue(value); cause != "" {
		code, reason = cause, why
	}
	return &Error{Code: code, Object: variable, Reason: variable + " " + reason}
}

func (e *Error) Error() string {
	sentence := e.Reason
	if sentence == "" {
		sentence = e.Code.Meaning()
	}
	if e.Subject != "" {
		sentence = e.Subject + " " + sentence
	}
	// Entra's number says more than its status.
	var details []string
	if strings.HasPrefix(string(e.Code), aadsts) {
		details = append(details, string(e.Code))
	} else if e.Status != 0 {
		details = append(details, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.RetryAfter > 0 && e.Status != 0 {
		details = append(details, fmt.Sprintf("retry after %v", e.RetryAfter))
	}
	if e.CorrelationID != "" {
		details = append(details, "correlation ID "+e.CorrelationID)
	}
	if details != nil {
		sentence += " (" + strings.Join(details, ", ") + ")"
	}
	return sentence
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf returns the code of err or of the first of its causes that has one; "" for none.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// Is reports whether the code of err is one of these.
func Is(err error, codes ...Code) bool { return err != nil && slices.Contains(codes, CodeOf(err)) }

// Has reports whether err or any of its causes has the code.
func Has(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == code || Has(e.Cause, code))
}

// RetryAfter returns how long err, or the first of its causes with a code, asks to wait;
// 0 for not at all.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// document is docs/codes.md: the one table of what codes mean and what to do about them.
//
//go:embed codes.md
var document string

// A Situation is where the identity came from, as far as advice depends on it, or the code
// of an error's cause. The values are those in the document.
type Situation string

// Situations. The zero value is the environment's, and every other for which advice makes
// no difference.
const (
	FromCommandLine  Situation = "command line" // just typed: a user who has just signed in is not told to sign in
	FromLogin        Situation = "stored login"
	FromRegistryUser Situation = "registry user" // a login that docker login stored
	FromConfig       Situation = "config file"   // a service principal or federated application
	FromAzureCLI     Situation = "Azure CLI"
	FromAzd          Situation = "azd"
	FromPowerShell   Situation = "PowerShell"
	FromAzureJSON    Situation = "azure.json"
	FromPod          Situation = "service account"
)

// A row is a line of the document's tables: what a code means and what to do, the advice
// for some codes in one situation, or what advice says on another system.
type row struct {
	codes           []string
	situation       Situation // "" in the tables of codes
	system          string    // "" but in the last table
	meaning, advice string    // in the last table the words to replace, and those for them
}

// rows are the lines of the document. To parse it takes 0.1 ms, and only failures need it.
var rows = sync.OnceValue(parseRows)

func parseRows() (all []row) {
	plain := strings.NewReplacer(`\|`, "|", `\*`, "*", "`", "")
	isSpecial, isOfSystem := false, false
	for line := range strings.Lines(document) {
		isSpecial = isSpecial || strings.HasPrefix(line, "## Advice that depends on the situation")
		isOfSystem = isOfSystem || strings.HasPrefix(line, "## Advice on other systems")
		line = strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |\n")
		cells := strings.Split(line, " | ")
		if len(cells) != 3 || !strings.HasPrefix(line, "`") {
			continue
		}
		first, second := plain.Replace(cells[0]), plain.Replace(cells[1])
		r := row{codes: strings.Fields(first), meaning: second, advice: plain.Replace(cells[2])}
		switch {
		case isOfSystem:
			r.codes, r.system = nil, first
		case isSpecial:
			r.meaning, r.situation = "", Situation(second)
		}
		all = append(all, r)
	}
	return all
}

// find returns the row of a code, in a situation or, with "", in general; a zero row for
// none.
func find(code Code, s Situation) row {
	for _, r := range rows() {
		if r.situation == s && slices.Contains(r.codes, string(code)) {
			return r
		}
	}
	return row{}
}

// A Context is what advice is filled in with.
type Context struct {
	// Registry is the login server, or another registry's name; Login is the registry or
	// pattern that the login in use was stored for, "" for Registry.
	Registry, Login string
	// ClientID is the application's, Tenant the identity's; "" for unknown.
	ClientID, Tenant string
	// Situation is where the identity came from. Terraform says that it came from
	// Terraform's variables, so that advice names those.
	Situation Situation
	Terraform bool
	// System is the operating system, as in runtime.GOOS; "" for this computer's.
	System string
}

// terraform replaces the variables that Terraform's azurerm provider has, too.
var terraform = strings.NewReplacer("AZURE_CLIENT_ID", "ARM_CLIENT_ID", "AZURE_TENANT_ID", "ARM_TENANT_ID",
	"AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD", "ARM_CLIENT_CERTIFICATE_PASSWORD")

// Advice returns what to do about err: at most two sentences without a full stop at the
// end, or "" where nothing is known. Advice for the cause goes first, then that for the
// situation.
func (c Context) Advice(err error) string {
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	var advice, object string
	for e := failed; ok; e, ok = errors.AsType[*Error](e.Cause) {
		advice = cmp.Or(advice, find(failed.Code, Situation(e.Code)).advice)
		object = cmp.Or(e.Object, object) // the cause knows best
	}
	advice = cmp.Or(advice, find(failed.Code, c.Situation).advice, find(failed.Code, "").advice,
		find(failed.Code.class(), "").advice)
	if c.Terraform {
		advice = terraform.Replace(advice)
	}
	return fill(forSystem(cmp.Or(c.System, runtime.GOOS), advice), map[string]string{
		"PROGRAM": failed.Subject, "REGISTRY": c.Registry, "LOGIN": cmp.Or(c.Login, c.Registry),
		"CLIENT-ID": c.ClientID, "TENANT": c.Tenant, "NUMBER": strings.TrimPrefix(string(failed.Code), aadsts),
		"PATH": object, "VARIABLE": object, "KEYRING": object, "CLOUD": object,
	})
}

// forSystem replaces what only a Unix has, or only Linux, in advice for another system.
func forSystem(system, advice string) string {
	if system == "windows" || system == "darwin" {
		advice = regexp.MustCompile(` \(Linux: [^)]*\)`).ReplaceAllString(advice, "")
	}
	if system != "windows" {
		return advice
	}
	for _, r := range rows() {
		if r.system == system {
			advice = strings.ReplaceAll(advice, r.meaning, r.advice)
		}
	}
	// Neither of the shells there sets variables before a command.
	return regexp.MustCompile(`Run: ([A-Z_]+=\S+) (\S)`).ReplaceAllString(advice, "Set $1, and run: $2")
}

// fill replaces whole words. A word without a value stays, unless it is an option's that
// may be left out.
func fill(advice string, values map[string]string) string {
	if values["TENANT"] == "" {
		advice = regexp.MustCompile(` --?[Tt]enant(-id)? TENANT`).ReplaceAllString(advice, "")
	}
	return regexp.MustCompile(`\b[A-Z]+(-ID)?\b`).ReplaceAllStringFunc(advice, func(word string) string {
		return cmp.Or(values[word], word)
	})
}
