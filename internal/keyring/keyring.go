// Package keyring holds the one 256-bit key that seals the vault. The key has
// a home: the OS keyring (Secret Service, Keychain, Credential Manager), the
// kernel keyring of Linux, or a key file. Each home keeps a key of its own, so
// what one home's key sealed never depends on another home.
//
// Nothing here prompts, unlocks or starts a bus: a home that would need that
// answers [ErrLocked] or [ErrUnavailable], and the caller works without it.
//
// (With a file for each operating system the package is longer than a room of
// this house should be; a build compiles one of them.)
package keyring

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Errors a caller decides on. Their texts go on after the home's name, so that
// every error of this package reads as a sentence: "the Secret Service keyring
// is locked".
var (
	// ErrNotFound says that the home is in order and holds no key: the only
	// answer after which a key may be made. It is an fs.ErrNotExist too, so that
	// the vault needs no other word for it.
	ErrNotFound error = notFound{}
	// ErrLocked says that the home holds, or may hold, the key, but is locked.
	// Nobody was asked to unlock it.
	ErrLocked = errors.New("is locked")
	// ErrUnavailable says that the home can't be used, for a reason that the
	// text gives: absent, denied, silent, or holding something else.
	ErrUnavailable = errors.New("is unavailable")
)

type notFound struct{}

func (notFound) Error() string        { return "holds no key" }
func (notFound) Is(target error) bool { return target == fs.ErrNotExist }

// KeySize is the length of a key in bytes.
const KeySize = 32

// What the key is called where homes have names; changing either would orphan
// every key made so far.
const (
	serviceName = "docker-credential-acr"
	userName    = "vault-key"
)

// osDeadline bounds one use of the OS keyring. A stopped service, or one that
// waits for a prompt, answers never; a process must not lose more than three
// seconds to it. Answers take milliseconds, a service started on demand some
// hundred.
const osDeadline = 2 * time.Second

// Settings says which homes to use and where the file home's key lies.
type Settings struct {
	Choice  string              // auto (also ""), os, kernel, file, none
	KeyFile string              // absolute path of the file home's key, "" when there is no place for it
	Getenv  func(string) string // for DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR

	label string // the kernel key's description, "" for the usual one; tests keep apart by it
}

// A Ring is the homes of one process. It remembers which of them are dead.
type Ring struct {
	homes []*slot
}

// home is a place that keeps a key. Its errors wrap one of the three above.
// write is only called right after read answered ErrNotFound, under a lock,
// and does not replace a key that appeared in between where the home can tell.
// remove is only called right after read answered a key, under the same lock.
type home interface {
	name() string  // os, kernel or file
	title() string // how errors call it
	read(ctx context.Context) ([]byte, error)
	write(ctx context.Context, key []byte) error
	remove(ctx context.Context) error
}

// Open decides which homes are usable, best first. It does no I/O beyond a
// stat, so it can't hang and a program that needs no key pays nothing.
func Open(s Settings) (*Ring, error) {
	if s.Getenv == nil {
		s.Getenv = func(string) string { return "" }
	}
	if s.label == "" {
		s.label = serviceName + ":" + userName
	}
	r := &Ring{}
	switch s.Choice {
	case "auto", "":
		if os, ok := openOS(s.Getenv); ok {
			r.add(os, osDeadline)
		}
		if kernel, ok := openKernel(s.label); ok {
			r.add(kernel, 0)
		}
	case "os":
		os, _ := openOS(s.Getenv) // without a bus it says so when it is read
		r.add(os, osDeadline)
	case "kernel":
		kernel, _ := openKernel(s.label)
		r.add(kernel, 0)
	case "file":
		r.add(fileHome{s.KeyFile}, 0)
	case "none":
	default:
		return nil, fmt.Errorf("DOCKER_CREDENTIAL_ACR_KEYRING is %q, want auto, os, kernel, file or none", s.Choice)
	}
	return r, nil
}

func (r *Ring) add(h home, limit time.Duration) {
	r.homes = append(r.homes, &slot{home: h, limit: limit, dead: make(chan struct{})})
}

// Homes names the usable homes, best first: a subset of "os", "kernel",
// "file"; nil for none. Usable means worth asking, not that a key is there.
func (r *Ring) Homes() []string {
	var names []string
	for _, s := range r.homes {
		names = append(names, s.name())
	}
	return names
}

// Key reads the key of one home. A home that timed out stays dead
// (ErrUnavailable at once) for the life of the Ring: nobody waits twice. Safe
// for many goroutines.
func (r *Ring) Key(ctx context.Context, home string) ([]byte, error) {
	s, err := r.slot(home)
	if err != nil {
		return nil, err
	}
	return s.bound(ctx, s.read, func() {})
}

// Make makes the key of a home that answered ErrNotFound. Of many processes
// that make it at once all must end with one key, since what another key
// sealed is lost: so it takes the lock, looks again, writes, and returns what
// it reads back, be it its own key or another's. Any other answer than
// ErrNotFound is returned as it is, and nothing is written.
//
// The lock is let go when the write has really ended, which for a home that
// timed out is later than Make: a write that comes late must not replace the
// key that the next holder of the lock makes.
func (r *Ring) Make(ctx context.Context, home string, lock func(context.Context) (unlock func(), err error)) ([]byte, error) {
	s, err := r.slot(home)
	if err != nil {
		return nil, err
	}
	if s.isDead() {
		return nil, s.timedOut() // without queueing for the lock
	}
	unlock, err := lock(ctx)
	if err != nil {
		return nil, err
	}
	return s.bound(ctx, s.create, unlock)
}

// Delete destroys the key of one home; what it has sealed can't be opened ever
// after. It returns ErrNotFound where there is none, and any other error where
// there may still be one. It takes the lock under which keys are made.
func (r *Ring) Delete(ctx context.Context, home string, lock func(context.Context) (unlock func(), err error)) error {
	s, err := r.slot(home)
	if err != nil {
		return err
	}
	if s.isDead() {
		return s.timedOut()
	}
	unlock, err := lock(ctx)
	if err != nil {
		return err
	}
	_, err = s.bound(ctx, s.destroy, unlock)
	return err
}

func (r *Ring) slot(name string) (*slot, error) {
	i := slices.IndexFunc(r.homes, func(s *slot) bool { return s.name() == name })
	if i < 0 {
		return nil, fmt.Errorf("the key home %q %w: not among the chosen ones", name, ErrUnavailable)
	}
	return r.homes[i], nil
}

// encode and decode are for homes that keep text. The value found may be
// anybody's, so no error repeats it.
func encode(key []byte) string {
	return base64.StdEncoding.EncodeToString(key)
}

func decode(title, text string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != KeySize {
		return nil, notAKey(title)
	}
	return key, nil
}

// notAKey is the answer to a value that isn't a key. It is no ErrNotFound:
// that would have it overwritten, and it may be a newer version's key.
func notAKey(title string) error {
	return fmt.Errorf("%s %w: what it holds as %s of %s is not a %d-byte key", title, ErrUnavailable, userName, serviceName, KeySize)
}

// unavailable hides the kind of a cause that says "does not exist", as that of a bus
// whose socket is gone: it would pass for ErrNotFound with whoever asks for
// fs.ErrNotExist, and a key would seem lost that is only out of reach.
func unavailable(title string, cause error) error {
	if errors.Is(cause, fs.ErrNotExist) {
		cause = errors.New(cause.Error())
	}
	return fmt.Errorf("%s %w: %w", title, ErrUnavailable, cause)
}

// newKey can't fail: since Go 1.24 crypto/rand ends the program rather than
// returning an error.
func newKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}
