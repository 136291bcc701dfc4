// Package cmdutil is what the commands that users type have in common: what they work on,
// how they read a registry or a secret, how they print, and how they report a usage error.
//
// Only this package and package cli write to standard output and standard error. Whatever
// they print goes through text.Line, text.Lines or text.JSON, because names in files,
// variables, arguments and answers may have characters that a terminal obeys or hides.
package cmdutil

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Program is the name of the program, Module the path of its module. Both are in its
// version, because other programs have the same name.
const (
	Program = "docker-credential-acr"
	Module  = "github.com/docker-credential-acr/docker-credential-acr"
)

// An Env is what the commands work on.
type Env struct {
	app.Env
	// Open returns the App, which is opened once.
	Open func() (*app.App, error)
	// Version is the program's.
	Version string
}

// MethodFlag is the annotation of flags that help lists first, apart from the others.
const MethodFlag = "method"

// defaultColumns is the width of a terminal that does not tell it. One with less than
// minColumns breaks the lines itself.
const (
	defaultColumns = 80
	minColumns     = 40
)

// Screen is what results are printed to. NO_COLOR is a convention of many programs. An
// old Windows console shows escape sequences as they are; only Windows Terminal, which
// sets WT_SESSION, is known not to.
func (e Env) Screen() screen.Screen {
	if !e.StdoutIsTerminal {
		return screen.Screen{}
	}
	getenv := e.Getenv()
	s := screen.Screen{Width: defaultColumns, Color: getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"}
	if runtime.GOOS == "windows" && getenv("WT_SESSION") == "" {
		s.Color = false
	}
	if e.Columns != nil {
		s.Width = max(cmp.Or(e.Columns(), s.Width), minColumns)
	}
	return s
}

// Print prints results that are laid out for the Screen.
func (e Env) Print(laidOut string) error {
	_, err := io.WriteString(e.Stdout, e.Screen().Paint(text.Lines(laidOut)))
	return err
}

// PrintDiff prints a unified diff.
func (e Env) PrintDiff(diff string) error {
	_, err := io.WriteString(e.Stdout, e.Screen().Diff(text.Lines(diff)))
	return err
}

// Markf prints a line of what the command was asked for, after a symbol of package
// screen. Its errors are ignored, as those of Resultf and Notef are.
func (e Env) Markf(symbol, format string, args ...any) {
	s := e.Screen()
	mark := s.Mark(symbol)
	_ = e.Print(mark + s.Wrap(utf8.RuneCountInString(mark), line(format, args)) + "\n")
}

// Resultf prints a line of what the command was asked for.
func (e Env) Resultf(format string, args ...any) { fmt.Fprintln(e.Stdout, line(format, args)) }

// Notef prints a line for the user about what the command does. It is not part of the
// result, which another program may read.
func (e Env) Notef(format string, args ...any) { fmt.Fprintln(e.Stderr, line(format, args)) }

// Note is Notef for sentences, which on a terminal are as wide as it. An address or a
// path, which users copy, must stay in one piece.
func (e Env) Note(note string) {
	for l := range strings.SplitSeq(e.Screen().Wrap(0, text.Line(note)), "\n") {
		fmt.Fprintln(e.Stderr, l)
	}
}

// line formats one line.
func line(format string, args []any) string { return text.Line(fmt.Sprintf(format, args...)) }

// Examples returns the examples of a command's help, from pairs of a comment and the
// arguments of the program.
func Examples(pairs ...string) string {
	var lines []string
	for i := 0; i < len(pairs); i += 2 {
		lines = append(lines, "  # "+pairs[i]+"\n  "+Program+" "+pairs[i+1])
	}
	return strings.Join(lines, "\n\n")
}

// About says what a failure is about, most often a registry, as advice needs it. An error
// that says so itself knows better, and a usage error is about what was typed.
func About(subject string, err error) error {
	if _, ok := errors.AsType[*app.Error](err); ok || err == nil || IsUsage(err) {
		return err
	}
	return &app.Error{Registry: subject, Err: err}
}

// Run returns what a command runs: a function that works on the App. Its errors are about
// the command's first argument, or about subject if there is none.
func (e Env) Run(
	subject string, run func(ctx context.Context, a *app.App, args []string) error,
) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		about := subject
		if len(args) > 0 {
			about = args[0]
		}
		a, err := e.Open()
		if err == nil {
			err = run(c.Context(), a, args)
		}
		return About(about, err)
	}
}

// WriteTimeout limits the wait for another process that is changing a login.
const WriteTimeout = 20 * time.Second

// waitBeforeMessage is how long a user waits without a message.
const waitBeforeMessage = time.Second

// Waiting tells the user what the command is waiting for, if that takes longer than a
// second. Call the function that it returns when the wait is over.
func (e Env) Waiting(what string) (stop func()) {
	timer := time.AfterFunc(waitBeforeMessage, func() { e.Notef("%s…", what) })
	return func() { timer.Stop() }
}

// A usageError is a command that can't be meant as it was typed, which has an exit status
// of its own.
type usageError struct{ error }

// Unwrap returns the error that the usage error was made of.
func (e usageError) Unwrap() error { return e.error }

// UsageErrorf is fmt.Errorf for a usage error.
func UsageErrorf(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether an error is a usage error.
func IsUsage(err error) bool {
	_, ok := errors.AsType[usageError](err)
	return ok
}

// Ago says in hours and minutes how long ago something was.
func Ago(d time.Duration) string {
	if d = d.Truncate(time.Minute); d < time.Minute {
		return "a moment ago"
	}
	return strings.TrimSuffix(d.String(), "0s") + " ago"
}

// KeyPlace says where the key is that encrypts what is stored; of a key file also when it
// was made, for a user to notice one that they have not made.
func KeyPlace(backend string, made time.Time) string {
	switch {
	case backend != keystore.File:
		return keystore.Title(backend)
	case made.IsZero():
		return "a file"
	}
	return "a file of " + made.Format(time.DateOnly)
}

// Args requires between least and most arguments, which are what: "REGISTRY or PATTERN".
func Args(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		switch {
		case len(args) >= least && len(args) <= most:
			return nil
		case most == 0:
			return UsageErrorf("%s takes no arguments; see: %s --help", c.Name(), c.CommandPath())
		case least == most:
			return UsageErrorf("%s needs exactly one %s; see: %s --help", c.Name(), what, c.CommandPath())
		}
		return UsageErrorf("%s takes at most one %s; see: %s --help", c.Name(), what, c.CommandPath())
	}
}

// PrintJSON prints a value as indented JSON, with <, > and & as they are.
func (e Env) PrintJSON(value any) error {
	var encoded bytes.Buffer
	encoder := json.NewEncoder(&encoded)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	_, err := e.Stdout.Write(text.JSON(encoded.Bytes()))
	return err
}
