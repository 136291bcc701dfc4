package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// An outcome is what became of a command.
type outcome struct {
	stdout, stderr string
	err            error          // why it failed; nil if it didn't
	asked          map[string]int // what Azure was asked meanwhile, by kind
}

// act does something as its user would and shows it: the command, its output, how
// long it took and what Azure was asked.
func (s *stage) act(shown string, do func() (stdout, stderr string, err error)) outcome {
	fmt.Fprintf(s.out, "   $ %s\n", shown)
	s.cloud.Reset()
	began := time.Now()
	stdout, stderr, err := do()
	took := time.Since(began)
	s.print("   ", stdout)
	s.print("   stderr: ", stderr)
	asked, summary := s.asked()
	status := ""
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		status = fmt.Sprintf("exit status %d; ", exit.ExitCode())
	}
	fmt.Fprintf(s.out, "   [%s%d ms; Azure was asked for %s]\n\n", status, took.Milliseconds(), summary)
	if strangers := s.cloud.ForeignHosts(); len(strangers)+len(s.cloud.Leaks()) > 0 {
		err = errors.Join(err, fmt.Errorf("%s: went to %q, with %d secrets", shown, strangers, len(s.cloud.Leaks())))
	}
	return outcome{stdout, stderr, err, asked}
}

// asked counts the requests since the last Reset, and puts them into words in the
// order of their first coming.
func (s *stage) asked() (map[string]int, string) {
	counts, order := map[string]int{}, []string{}
	for _, r := range s.cloud.Requests() {
		if counts[r.Kind]++; counts[r.Kind] == 1 {
			order = append(order, r.Kind)
		}
	}
	for i, kind := range order {
		order[i] = fmt.Sprintf("%d %s", counts[kind], kind)
	}
	if len(order) == 0 {
		return counts, "nothing"
	}
	return counts, strings.Join(order, ", ")
}

// exec runs a program in the scratch home.
func (s *stage) exec(stdin, shown, path string, args ...string) outcome {
	return s.act(shown, func() (string, string, error) { return s.quietly(stdin, path, args...) })
}

// quietly is exec without a word.
func (s *stage) quietly(stdin, path string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(s.ctx, path, args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that clients tidy up, too
	cmd.WaitDelay = 3 * time.Second
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// get asks the helper what a client would ask.
func (s *stage) get() outcome {
	return s.exec(host, "echo "+host+" | "+program+" get", s.helper, "get")
}

// print shows a program's output, a prefix before each line, without blank ones.
func (s *stage) print(prefix, text string) {
	for line := range strings.Lines(s.shorten(text)) {
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintf(s.out, "%s%s\n", prefix, line)
		}
	}
}

// shorten leaves the first characters of every secret that the sandbox knows.
// Long ones first: a token's parts are secrets of their own.
func (s *stage) shorten(text string) string {
	secrets := s.cloud.Canaries()
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) > 6 {
			text = strings.ReplaceAll(text, secret, secret[:6]+"…")
		}
	}
	return text
}

// say is the narrator, without a command.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.out, "   "+format+"\n", args...)
}

// pause waits until a moment, saying why.
func (s *stage) pause(until time.Time, why string) error {
	s.say("(%.1f s later, %s)", max(time.Until(until), 0).Seconds(), why)
	select {
	case <-time.After(time.Until(until)):
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
