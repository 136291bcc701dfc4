// Package cmdutil is what the commands that users type have in common: what they work on,
// how they read a registry or a secret, how they print, and how they report a usage error.
//
// Only this package and package cli write to standard output and standard error. Whatever
// they print goes through text.Line, text.Lines or text.JSON, because names in files,
// variables, arguments and answers may have characters that a terminal obeys or hides.
package cmdutil

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/screen"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Program is the name of the program, Module the path of its module. Both stand in its
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

// ParseTarget parses a registry, in any spelling of clients, or a pattern. The host is
// one that the pattern matches.
func ParseTarget(clouds registry.Clouds, typed string) (target string, host registry.Host, err error) {
	if host, err := clouds.ParseHost(typed); err == nil {
		return host.String(), host, nil
	}
	pattern := strings.ToLower(typed)
	if host, err = clouds.Example(pattern); err == nil {
		return pattern, host, nil
	}
	const orWhat = " or pattern (for example contoso.azurecr.io or '*.azurecr.io')"
	return "", registry.Host{}, UnknownRegistry(clouds, typed, orWhat)
}

// UnknownRegistry returns the usage error for what is not a registry; orWhat says what else
// the command takes. A name without a dot may lack its domain.
func UnknownRegistry(clouds registry.Clouds, typed, orWhat string) error {
	meant, err := clouds.ParseHost(WithDomain(typed))
	if name, domain, ok := strings.Cut(strings.ToLower(typed), "."); err != nil && ok {
		meant, err = clouds.ParseHost(name + "." + text.Nearest(domain, registry.Suffixes()))
	}
	if err == nil {
		return UsageErrorf("unknown registry %q; did you mean %s?", typed, meant)
	}
	return UsageErrorf("%q is not an Azure container registry%s", typed, orWhat)
}

// Meant returns the known registry that was probably meant; "" for none.
func Meant(a *app.App, typed string) string {
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	return text.Nearest(typed, append(a.KnownServers(), paths.Registries(a.Clouds)...))
}

// WithDomain adds the domain to the name of a registry without one.
func WithDomain(name string) string {
	if name == "" || strings.ContainsAny(name, ".*") {
		return name
	}
	return name + ".azurecr.io"
}

// ParseServer parses a registry or pattern, or the name of another registry, as its
// client spells it: one that a login is stored for, or any if a delegate may have a login
// for it.
func ParseServer(a *app.App, typed string) (target string, host registry.Host, isOther bool, err error) {
	if target, host, err = ParseTarget(a.Clouds, typed); err == nil {
		return target, host, false, nil
	}
	names := []string{typed}
	if typed == "docker.io" || typed == "index.docker.io" {
		names = append(names, dockerconfig.DockerHub)
	}
	s := a.Vault.Open()
	defer s.Close()
	for _, name := range names {
		if login, failed := s.Login(name); name != "" && (failed != nil || login != nil) {
			return name, host, true, nil
		}
	}
	_, notHost := a.Clouds.ParseHost(typed)
	if d, _ := a.Delegate(); d != nil && errors.Is(notHost, registry.ErrNotACR) {
		return typed, host, true, nil
	}
	return "", host, false, err
}

// Complete completes registries, for the shell's Tab key: to logout and status those for
// which anything is stored, to login what it could be for, to others login servers. It
// doesn't ask the delegate, which could prompt, and leaves out names that a shell would
// not take as they are.
func (e Env) Complete(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const end = cobra.ShellCompDirectiveNoFileComp
	a, err := e.Open()
	if err != nil || len(args) > 0 && !strings.Contains(c.Use, "…") {
		return nil, end
	}
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	names := append(a.KnownServers(), paths.Registries(a.Clouds)...)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return slices.Contains(args, name) || !text.Only(name, text.Lower+text.Upper+text.Digits+".-_:/*") ||
			!accepts(c.Name(), a.Clouds, name)
	}), end
}

// accepts reports whether a command accepts a name that is stored.
func accepts(command string, clouds registry.Clouds, name string) bool {
	_, _, err := ParseTarget(clouds, name)
	switch command {
	case "logout", "status":
		return true
	case "login":
		return err == nil
	}
	return err == nil && !strings.Contains(name, "*")
}

// Limits of what is read, so that a wrong file or pipe can't fill the memory.
const (
	// maxSecret is far above any secret or password.
	maxSecret = 16 << 10
	// maxLine is a secret with the end of its line.
	maxLine = maxSecret + 2
)

// ReadSecret reads a secret of one line, such as what = "client secret of 7d1c…": from a
// file, which may be a pipe; else, for "", from the terminal, without echo; or from
// standard input where there is no terminal or fromStdin is set. It never comes from an
// argument, which every user of the computer could read.
func (e Env) ReadSecret(what, path string, fromStdin bool) (secret.String, error) {
	var content []byte
	var err error
	switch {
	case path != "":
		if content, err = safefile.ReadAny(path, maxLine); err != nil {
			return secret.String{}, fmt.Errorf("can't read the %s: %s: %w", what, path, err)
		}
	case e.StdinIsTerminal && !fromStdin:
		fmt.Fprint(e.Stderr, line("%s (input is hidden): ", []any{strings.ToUpper(what[:1]) + what[1:]}))
		content, err = e.ReadPassword()
		fmt.Fprintln(e.Stderr)
	default:
		content, err = safefile.ReadLimited(e.Stdin, maxLine)
	}
	return toSecret(what, content, err)
}

// toSecret removes what is not part of a secret: the end of its line, and the byte order
// mark that PowerShell may begin with. What can't be a secret is a mistake, such as a
// whole file, and would only be refused later, with a worse error.
func toSecret(what string, content []byte, err error) (secret.String, error) {
	text, notUTF8 := safefile.Text(content)
	content = bytes.TrimRight(text, "\r\n")
	switch {
	case err == nil && notUTF8 != nil:
		err = fmt.Errorf("can't read the %s: %w", what, notUTF8)
	case errors.Is(err, safefile.ErrTooLong), len(content) > maxSecret:
		err = UsageErrorf("the %s is longer than %d KB (is it the right file?)", what, maxSecret>>10)
	case err != nil:
		err = fmt.Errorf("can't read the %s: %w", what, err)
	case len(content) == 0:
		err = UsageErrorf("the %s is empty", what)
	case bytes.ContainsAny(content, "\r\n\x00"):
		err = UsageErrorf("the %s has more than one line", what)
	case !utf8.Valid(content):
		err = UsageErrorf("the %s is not UTF-8 text", what)
	}
	if err != nil {
		return secret.String{}, err
	}
	return secret.New(string(content)), nil
}

// AskLine asks the user at the terminal for one line.
func (e Env) AskLine(prompt string) (string, error) {
	fmt.Fprint(e.Stderr, text.Line(prompt))
	line, err := bufio.NewReader(e.Stdin).ReadString('\n') // a terminal gives the reader one line at a time
	switch {
	case err == io.EOF && line == "":
		return "", UsageErrorf("nothing was entered")
	case err != nil && err != io.EOF:
		return "", err
	}
	return strings.TrimSpace(line), nil
}

// Choose asks the user at the terminal until one of the choices is chosen, and returns
// its index.
func (e Env) Choose(choices []string) (int, error) {
	for i, choice := range choices {
		e.Notef("  %d  %s", i+1, choice)
	}
	for {
		answer, err := e.AskLine(fmt.Sprintf("Choose 1-%d: ", len(choices)))
		if err != nil {
			return 0, err
		}
		if n, err := strconv.Atoi(answer); err == nil && n >= 1 && n <= len(choices) {
			return n - 1, nil
		}
		e.Notef("enter a number from 1 to %d", len(choices))
	}
}
