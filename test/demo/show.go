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

// An outcome is the result of a command.
type outcome struct {
	stdout, stderr string
	err            error          // nil if it succeeded
	requests       map[string]int // to the fake Azure, by kind
}

// show runs a user's command and prints the command, its output, its duration and the requests to Azure.
func (d *demo) show(command string, run func() (stdout, stderr string, err error)) outcome {
	d.print("$ %s", command)
	d.cloud.Reset()
	start := time.Now()
	stdout, stderr, err := run()
	took := time.Since(start)
	d.printOutput("", stdout)
	d.printOutput("stderr: ", stderr)
	requests, summary := d.requests()
	status := ""
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = fmt.Sprintf("exit status %d; ", exit.ExitCode())
	}
	d.print("[%s%d ms; requests to Azure: %s]\n", status, took.Milliseconds(), summary)
	if hosts, leaks := d.cloud.ForeignHosts(), d.cloud.Leaks(); len(hosts)+len(leaks) > 0 {
		err = errors.Join(err, fmt.Errorf("%s: connected to %q, with %d secrets", command, hosts, len(leaks)))
	}
	return outcome{stdout, stderr, err, requests}
}

// requests returns the requests since the last Reset by kind, and a summary in the order of the first of each kind.
func (d *demo) requests() (map[string]int, string) {
	counts, order := map[string]int{}, []string{}
	for _, r := range d.cloud.Requests() {
		if counts[r.Kind]++; counts[r.Kind] == 1 {
			order = append(order, r.Kind)
		}
	}
	for i, kind := range order {
		order[i] = fmt.Sprintf("%d %s", counts[kind], kind)
	}
	if len(order) == 0 {
		return counts, "none"
	}
	return counts, strings.Join(order, ", ")
}

// exec shows a program's run in the demo's environment.
func (d *demo) exec(stdin, command, path string, args ...string) outcome {
	return d.show(command, func() (string, string, error) { return d.runQuietly(stdin, path, args...) })
}

// runQuietly runs a program in the demo's environment.
func (d *demo) runQuietly(stdin, path string, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(d.ctx, path, args...)
	cmd.Dir, cmd.Env = d.dir, d.env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // lets clients clean up
	cmd.WaitDelay = 3 * time.Second
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// get runs the helper's get as clients do.
func (d *demo) get() outcome {
	return d.exec(host, "echo "+host+" | "+program+" get", d.helper, "get")
}

// print prints a line, indented.
func (d *demo) print(format string, args ...any) {
	fmt.Fprintf(d.out, "   "+format+"\n", args...)
}

// printOutput prints a program's output without empty lines, with a prefix before each line.
func (d *demo) printOutput(prefix, text string) {
	for line := range strings.Lines(d.redact(text)) {
		if line = strings.TrimSpace(line); line != "" {
			d.print("%s%s", prefix, line)
		}
	}
}

// redact cuts every secret of the fake Azure to its first characters. It begins with the longest, because parts of
// tokens are secrets, too.
func (d *demo) redact(text string) string {
	secrets := d.cloud.Canaries()
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) > 6 {
			text = strings.ReplaceAll(text, secret, secret[:6]+"…")
		}
	}
	return text
}

// wait waits until a time and prints why.
func (d *demo) wait(until time.Time, why string) error {
	d.print("(%.1f s later: %s)", max(time.Until(until), 0).Seconds(), why)
	select {
	case <-time.After(time.Until(until)):
		return nil
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
}
