package cmdutil

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

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
	fmt.Fprint(e.Stderr, e.Screen().Wrap(0, text.Line(strings.TrimRight(prompt, " "))), " ")
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
