// Package devtool gets access tokens from developer tools that somebody has
// signed in to.
package devtool

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
	"slices"
	"strings"
	"time"
)

// How long a tool may take, how long its pipes may stay open after its end, and
// how much it may print.
const (
	toolTimeout = 10 * time.Second
	toolGrace   = 100 * time.Millisecond
	maxOutput   = 1 << 20
)

// Tools runs programs of other makers: with a resolved absolute path, away from
// the current directory, without standard input, without the secrets in our
// environment, and not for ever.
type Tools struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Environ lists it, for the children to inherit the harmless part of.
	Environ func() []string
	// Now is the clock that tells an expired answer.
	Now func() time.Time
}

// Find resolves a program to an absolute path through PATH; "" if there is none.
// Relative entries of PATH, the empty one included, are passed over: a program
// in the directory of a cloned repository is not the user's.
func (t Tools) Find(name string) string {
	extensions := []string{""}
	if runtime.GOOS == "windows" {
		extensions = []string{".exe", ".cmd"}
	}
	for _, dir := range filepath.SplitList(t.Getenv("PATH")) {
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
	return err == nil && info.Mode().IsRegular() && (runtime.GOOS == "windows" || info.Mode().Perm()&0o111 != 0)
}

// run returns a program's standard output. The arguments must be validated:
// az is a batch file on Windows, where quoting can't be relied upon.
func (t Tools) run(ctx context.Context, name string, args ...string) ([]byte, error) {
	path := t.Find(name)
	if path == "" {
		return nil, &Error{name + " is not on PATH", CodeAzMissing}
	}
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, toolTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = t.neutralDir()
	cmd.Env = harmless(t.Environ())
	cmd.Stdout, cmd.Stderr = &limited{w: &stdout, left: maxOutput}, &limited{w: &stderr, left: maxOutput}
	cmd.WaitDelay = toolGrace
	killFamily(cmd)
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case parent.Err() != nil:
		return nil, &Error{name + " was not waited for any longer", CodeAzTimeout}
	case ctx.Err() != nil:
		return nil, &Error{fmt.Sprintf("%s did not answer within %v", name, toolTimeout), CodeAzTimeout}
	case errors.As(err, &exit):
		return nil, &exitError{exit.ExitCode(), stderr.String()}
	case err != nil:
		return nil, &Error{name + " could not be run", CodeAzFailed}
	}
	return stdout.Bytes(), nil
}

// neutralDir is a directory in which nobody can plant a program or a setting.
func (t Tools) neutralDir() string {
	if runtime.GOOS == "windows" {
		return t.Getenv("SystemRoot")
	}
	return "/"
}

// An exitError is a tool's failure with what it said, for us to read only.
type exitError struct {
	status int
	stderr string
}

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d", e.status) }

func asExit(err error, target **exitError) bool { return errors.As(err, target) }

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

// harmless leaves out of an environment what holds a secret by its name, ours
// and other programs'.
func harmless(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return secretName(strings.ToUpper(name))
	})
}

// notSecret are names of files and addresses that look like those of secrets.
var notSecret = []string{
	"AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH", "ACTIONS_ID_TOKEN_REQUEST_URL",
	"SSH_AUTH_SOCK", "AZURE_AUTHORITY_HOST", "PWD", "OLDPWD", "XDG_SESSION_TYPE",
}

func secretName(name string) bool {
	if slices.Contains(notSecret, name) {
		return false
	}
	for _, part := range []string{
		"SECRET", "PASS", "PWD", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "IDENTITY_HEADER", "CONNECTION_STRING", "FEED_ENDPOINTS",
	} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasSuffix(name, "_PAT")
}
