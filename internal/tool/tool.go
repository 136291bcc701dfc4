// Package tool runs programs of other makers: with a resolved absolute path, away
// from the current directory, without the secrets in our environment, and not for
// ever.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// How long a program's pipes may stay open after its end, and how much it may
// print.
const (
	grace     = 100 * time.Millisecond
	maxOutput = 1 << 20
)

// A Runner runs programs that its user has installed.
type Runner struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Environ lists it, for the children to inherit the harmless part of.
	Environ func() []string
}

// Find resolves a program to an absolute path through PATH; "" if there is none.
// Relative entries of PATH, the empty one included, are passed over: a program
// in the directory of a cloned repository is not the user's.
func (r Runner) Find(name string) string {
	extensions := []string{""}
	if runtime.GOOS == "windows" {
		extensions = []string{".exe", ".cmd"}
	}
	for _, dir := range filepath.SplitList(r.Getenv("PATH")) {
		for _, extension := range extensions {
			path := filepath.Join(dir, name+extension)
			if filepath.IsAbs(path) && isProgram(path) {
				return path
			}
		}
	}
	return ""
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	if runtime.GOOS == "windows" { // what comes from the Microsoft Store is no regular file
		return err == nil && !info.IsDir()
	}
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// A Command is one run of a program.
type Command struct {
	// Path is what Find found.
	Path string
	// Args must be validated: on Windows a program may be a batch file, where
	// quoting can't be relied upon.
	Args []string
	// Stdin is what the program reads; zero for nothing.
	Stdin secret.String
	// Environ is added to what it inherits.
	Environ []string
	// Timeout is how long it may take.
	Timeout time.Duration
}

// An Error says why a program came to no end of its own.
type Error struct {
	// Why continues the program's name.
	Why string
	// Late says that its time was up, and not that it could not be run.
	Late bool
}

func (e *Error) Error() string { return e.Why }

// An ExitError is a program's failure with what it said, for us to read only.
type ExitError struct {
	Status int
	Stderr string
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// Run returns what a program printed to standard output. The error is an Error, or
// an ExitError.
func (r Runner) Run(ctx context.Context, c Command) ([]byte, error) {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir = r.neutralDir()
	cmd.Env = append(harmless(r.Environ()), c.Environ...)
	if !c.Stdin.IsZero() {
		cmd.Stdin = strings.NewReader(c.Stdin.Reveal())
	}
	cmd.Stdout, cmd.Stderr = &limited{w: &stdout, left: maxOutput}, &limited{w: &stderr, left: maxOutput}
	cmd.WaitDelay = grace
	killFamily(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrWaitDelay): // it succeeded, and left somebody behind who holds its pipes
	case err == nil:
	case parent.Err() != nil:
		return nil, &Error{"was not waited for any longer", true}
	case ctx.Err() != nil:
		return nil, &Error{fmt.Sprintf("did not answer within %v", c.Timeout), true}
	case errors.As(err, &exit):
		return stdout.Bytes(), &ExitError{exit.ExitCode(), stderr.String()}
	default:
		return nil, &Error{"could not be run", false}
	}
	return stdout.Bytes(), nil
}

// Start runs a program that outlives us, and doesn't wait for it.
func (r Runner) Start(path string, args ...string) error {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = r.neutralDir(), harmless(r.Environ())
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	return nil
}

// neutralDir is a directory in which nobody can plant a program or a setting.
func (r Runner) neutralDir() string {
	if runtime.GOOS == "windows" {
		return r.Getenv("SystemRoot")
	}
	return "/"
}

// limited passes on so many bytes and swallows the rest.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	n := min(len(p), l.left)
	l.left -= n
	_, err := l.w.Write(p[:n])
	return len(p), err
}
