// Package keychain keeps one value in the macOS keychain, with Apple's program security.
// (A library would run the same program, without a limit in time. The calls of the
// system's framework need cgo.)
package keychain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
)

// Program is the path of security.
const Program = "/usr/bin/security"

// A Keychain is one item of the user's keychain. The item trusts the program security, so
// any program of the user can read it.
type Keychain struct {
	// Program is the path of security; tests use their own.
	Program string
	// Service and Account name the item. They must be words without spaces and quotes.
	Service, Account string
	// Getenv reads the environment.
	Getenv func(string) string
	// Marker is a file that says, for 30 seconds, that the keychain asked the user for its
	// password in vain, so that the next processes don't ask, too; "" for none. Its
	// directory is made where it is needed.
	Marker string
	// Now is the clock.
	Now func() time.Time

	asked atomic.Bool // in vain, by this process
}

// Exit statuses of security: the low bytes of errSecItemNotFound (-25300),
// errSecDuplicateItem (-25299), errSecInteractionNotAllowed (-25308), as over SSH, and
// userCanceledErr (-128).
const (
	notFound   = 44
	duplicate  = 45
	notAllowed = 36
	canceled   = 128
)

// markerTime is how long a locked keychain is not used: about as long as a docker pull of
// many images asks for credentials.
const markerTime = 30 * time.Second

// runTimeout only ends what nothing else ends: callers have a shorter time.
const runTimeout = 5 * time.Minute

// Get reads the value. The error is a fault.KeyringLocked where the keychain is locked. In a
// desktop session security asks for the password then; the dialog ends with ctx.
func (k *Keychain) Get(ctx context.Context) (value string, found bool, err error) {
	out, err := k.run(ctx, "", "find-generic-password", "-s", k.Service, "-a", k.Account, "-w")
	switch {
	case hasStatus(err, notFound):
		return "", false, nil
	case err != nil:
		return "", false, err
	}
	return strings.TrimSpace(string(out)), true, nil
}

// Set stores the value, unless there is one: of two processes one wins.
func (k *Keychain) Set(ctx context.Context, value string) error {
	err := k.add(ctx, k.Account, value)
	if hasStatus(err, duplicate) {
		return nil
	}
	return err
}

// add passes the value on standard input: other users can see arguments.
func (k *Keychain) add(ctx context.Context, account, value string) error {
	command := fmt.Sprintf("add-generic-password -s %s -a %s -w %s\n", k.Service, account, value)
	_, err := k.run(ctx, command, "-i")
	return err
}

// Delete deletes the item; one that doesn't exist is no error.
func (k *Keychain) Delete(ctx context.Context) error { return k.remove(ctx, k.Account) }

func (k *Keychain) remove(ctx context.Context, account string) error {
	_, err := k.run(ctx, "", "delete-generic-password", "-s", k.Service, "-a", account)
	if hasStatus(err, notFound) {
		return nil
	}
	return err
}

// TryWrite stores an item beside the Keychain's own and deletes it: as root, in CI and for
// a service there may be no keychain, and reading only says that there is no item.
func (k *Keychain) TryWrite(ctx context.Context) error {
	const probe = "write-test"
	err := k.add(ctx, probe, probe)
	if hasStatus(err, duplicate) { // of a doctor that was killed
		err = nil
	}
	return errors.Join(err, k.remove(ctx, probe))
}

// Unlock lets security ask the user for the password, as long as ctx allows. It calls
// prompting first, also where the keychain isn't locked, which only asking tells. Over SSH
// there is no dialog, and the error has a fault.KeychainLocked.
func (k *Keychain) Unlock(ctx context.Context, prompting func()) error {
	k.unmark()
	prompting()
	_, _, err := k.Get(ctx)
	return err
}

// run runs security. Where the keychain is locked, the error is a fault.KeyringLocked.
func (k *Keychain) run(ctx context.Context, stdin string, args ...string) ([]byte, error) {
	if k.isMarked() {
		return nil, fault.New(fault.KeyringLocked, "")
	}
	var environ []string
	for _, name := range []string{"HOME", "USER", "LOGNAME", "PATH", "TMPDIR"} {
		environ = append(environ, name+"="+k.Getenv(name))
	}
	out, err := subprocess.Runner{Getenv: k.Getenv, Environ: environ}.Run(ctx, subprocess.Command{
		Path: k.Program, Args: args, Stdin: secret.New(stdin), Timeout: runTimeout,
		Inherits: func(entry string) bool { return !strings.HasSuffix(entry, "=") },
	})
	stopped, _ := errors.AsType[*subprocess.Error](err)
	switch {
	case hasStatus(err, notAllowed):
		return nil, &fault.Error{Code: fault.KeyringLocked, Cause: &fault.Error{Code: fault.KeychainLocked}}
	case hasStatus(err, canceled), stopped != nil && stopped.TimedOut:
		k.mark()
		return nil, fault.New(fault.KeyringLocked, "")
	case stopped != nil:
		return nil, fmt.Errorf("%s %w", filepath.Base(k.Program), err)
	case err != nil:
		return nil, fmt.Errorf("%s failed: %w", filepath.Base(k.Program), err)
	}
	return out, nil
}

func hasStatus(err error, status int) bool {
	exit, ok := errors.AsType[*subprocess.ExitError](err)
	return ok && exit.Status == status
}

// isMarked reports whether the keychain asked for its password a moment ago. A marker from
// the future counts for nothing.
func (k *Keychain) isMarked() bool {
	switch {
	case k.asked.Load():
		return true
	case k.Marker == "":
		return false
	}
	info, err := os.Lstat(k.Marker)
	if err != nil || !safefile.IsOwn(info) {
		return false
	}
	age := k.Now().Sub(info.ModTime())
	return age > -time.Second && age < markerTime
}

// mark writes the marker. Where that is impossible, every process asks, once.
func (k *Keychain) mark() {
	k.asked.Store(true)
	if k.Marker == "" || safefile.MakePrivate(filepath.Dir(k.Marker)) != nil {
		return
	}
	if os.WriteFile(k.Marker, nil, 0o600) == nil {
		_ = os.Chtimes(k.Marker, time.Time{}, k.Now())
	}
}

func (k *Keychain) unmark() {
	k.asked.Store(false)
	if k.Marker != "" {
		_ = os.Remove(k.Marker)
	}
}
