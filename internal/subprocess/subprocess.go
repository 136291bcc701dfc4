// Package subprocess runs other programs: by absolute path, away from the current
// directory, without the secrets in our environment, and with a limit in time and output.
package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const (
	// waitDelay is how long a program's pipes may stay open after it has ended.
	waitDelay = time.Second
	// maxOutput is how much of a program's output is read.
	maxOutput = 1 << 20
)

// A Runner runs programs that the user has installed.
type Runner struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Environ is the environment, of which programs inherit what they need.
	Environ []string
}

// Find returns the absolute path of a program on the PATH; "" if there is none. Relative
// entries of PATH, the empty one included, are skipped: a program in the directory of a
// cloned repository is not the user's. (os/exec.LookPath reads the process's own PATH,
// not the one that was handed in.)
func (r Runner) Find(name string) string {
	extensions := programExtensions(r.Getenv)
	for _, dir := range filepath.SplitList(r.Getenv("PATH")) {
		for _, extension := range extensions {
			path := filepath.Join(dir, name+extension)
			if filepath.IsAbs(path) && IsProgram(path) {
				return path
			}
		}
	}
	return ""
}

// IsProgram reports whether there is a program at a path.
func IsProgram(path string) bool {
	info, err := os.Stat(path)
	if runtime.GOOS == "windows" { // programs from the Microsoft Store are no regular files
		return err == nil && !info.IsDir()
	}
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// A Command is one run of a program.
type Command struct {
	// Path is what Find returned.
	Path string
	// Args must be validated: on Windows a program may be a batch file, which gets none that
	// cmd.exe would interpret.
	Args []string
	// Stdin is what the program reads; the zero value for nothing.
	Stdin secret.String
	// Inherits chooses what it inherits of the environment: Only or AllBut. Environ is
	// added.
	Inherits func(entry string) bool
	Environ  []string
	// Timeout is how long it may take.
	Timeout time.Duration
	// Messages gets what it printed to standard error, where that is known to have no secrets;
	// nil for no interest.
	Messages *[]byte
}

// An Error says why a program did not run to its own end. Reason continues the program's
// name. Cause is the error of the caller's context, if that ended it; nil otherwise.
type Error struct {
	Reason   string
	TimedOut bool
	Cause    error
}

func (e *Error) Error() string { return e.Reason }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// An ExitError is a program's failure. Stderr may quote secrets, so it is only searched,
// never shown.
type ExitError struct {
	Status int
	Stderr string
}

func (e *ExitError) Error() string { return fmt.Sprintf("exit status %d", e.Status) }

// Run returns what a program printed to standard output, even with an ExitError. Any
// other error is an Error.
func (r Runner) Run(ctx context.Context, c Command) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var stdout, stderr limitedBuffer
	cmd := exec.CommandContext(limited, c.Path, c.Args...)
	cmd.Dir = r.workDir()
	cmd.Env = append(inherited(r.Environ, c.Inherits), c.Environ...)
	if !c.Stdin.IsZero() {
		cmd.Stdin = strings.NewReader(c.Stdin.Reveal())
	}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = waitDelay
	err := runGroup(cmd)
	if c.Messages != nil {
		*c.Messages = stderr
	}
	exit, exited := errors.AsType[*exec.ExitError](err)
	refused, _ := errors.AsType[*Error](err)
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it succeeded, though a child still holds its pipes
		return stdout, nil
	case ctx.Err() != nil:
		return nil, &Error{"was canceled", true, ctx.Err()}
	case limited.Err() != nil:
		return nil, &Error{fmt.Sprintf("did not respond within %v", c.Timeout), true, nil}
	case refused != nil:
		return nil, refused
	case exited:
		return stdout, &ExitError{exit.ExitCode(), string(stderr)}
	}
	return nil, &Error{Reason: "could not be run"}
}

// Start runs a program that outlives this one, and doesn't wait for it. inherits is as in
// Command.
func (r Runner) Start(path string, inherits func(entry string) bool, args ...string) error {
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = r.workDir(), inherited(r.Environ, inherits)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // so that the system forgets it if it ends first
	return nil
}

// workDir returns a directory in which no other user can place a program or a setting.
func (r Runner) workDir() string {
	if runtime.GOOS == "windows" {
		return r.Getenv("SystemRoot")
	}
	return "/"
}

// A limitedBuffer takes everything, so that the program doesn't wait, and drops what is
// more than maxOutput.
type limitedBuffer []byte

func (b *limitedBuffer) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), maxOutput-len(*b))]...)
	return len(p), nil
}

// SameFile reports whether two paths are of the same file.
func SameFile(a, b string) bool {
	one, err := os.Stat(a)
	other, failed := os.Stat(b)
	return err == nil && failed == nil && os.SameFile(one, other)
}
