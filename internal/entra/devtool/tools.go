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

// How long a tool's pipes may stay open after its end, and how much it may
// print.
const (
	toolGrace = 100 * time.Millisecond
	maxOutput = 1 << 20
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
	if runtime.GOOS == "windows" { // what comes from the Microsoft Store is no regular file
		return err == nil && !info.IsDir()
	}
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// locate finds the best of a program's names.
func (t Tools) locate(names []string) (name, path string) {
	for _, name := range names {
		if path := t.Find(name); path != "" {
			return name, path
		}
	}
	return names[0], ""
}

// run returns a program's standard output. The arguments must be validated:
// az is a batch file on Windows, where quoting can't be relied upon.
func (t Tools) run(ctx context.Context, p program, args ...string) ([]byte, error) {
	name, path := t.locate(p.names)
	if path == "" {
		return nil, &Error{name + " is not on PATH", p.missing}
	}
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
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
	case errors.Is(err, exec.ErrWaitDelay): // it succeeded, and left somebody behind who holds its pipes
	case err == nil:
	case parent.Err() != nil:
		return nil, &Error{name + " was not waited for any longer", p.late}
	case ctx.Err() != nil:
		return nil, &Error{fmt.Sprintf("%s did not answer within %v", name, p.timeout), p.late}
	case errors.As(err, &exit):
		return nil, &exitError{exit.ExitCode(), stderr.String()}
	default:
		return nil, &Error{name + " could not be run", p.failed}
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
		name, value, _ := strings.Cut(entry, "=")
		return secretName(strings.ToUpper(name)) || secretValue(value)
	})
}

// notSecret are names of files and addresses that look like those of secrets.
var notSecret = []string{
	"AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_CERTIFICATE_PATH", "ARM_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN", "ACTIONS_ID_TOKEN_REQUEST_URL",
	"SSH_AUTH_SOCK", "XAUTHORITY", "AZURE_AUTHORITY_HOST", "PWD", "OLDPWD", "XDG_SESSION_TYPE",
}

// secretValue knows a JSON Web Token or a private key by its look: CI systems let
// people name the variables of such things.
func secretValue(value string) bool {
	return strings.HasPrefix(value, "eyJ") && strings.Count(value, ".") >= 2 || strings.Contains(value, "PRIVATE KEY-----")
}

func secretName(name string) bool {
	if slices.Contains(notSecret, name) {
		return false
	}
	for _, part := range []string{
		"SECRET", "PASS", "PWD", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "IDENTITY_HEADER", "CLIENT_CERTIFICATE", "JWT", "CONNECTION_STRING", "FEED_ENDPOINTS",
	} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return strings.HasSuffix(name, "_PAT")
}
