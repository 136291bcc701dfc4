package keyring

import (
	"context"
	"errors"
	"slices"
)

// An unlocker is a home that can ask its user to open it.
type unlocker interface {
	// unlock calls asking before it shows a dialog, and waits for its end.
	unlock(ctx context.Context, asking func()) error
}

// Reasons why nobody can be asked to unlock anything. They are sentences of their
// own.
var (
	// ErrNoOS says that no OS keyring is among the homes.
	ErrNoOS = errors.New("there is no OS keyring to unlock here: the vault's key has another home, or the session has none (as over SSH without a session bus)")
	// ErrDismissed says that the dialog was closed, or could not be shown.
	ErrDismissed = errors.New("the keyring stays locked: its dialog was closed, or could not be shown (it needs a desktop session)")
	// ErrNoDialog says that this system's keyring has no dialog for others to show.
	ErrNoDialog = errors.New("this system unlocks its keyring itself, at sign-in (on macOS over SSH: security unlock-keychain)")
)

// Unlock asks the user to open the OS keyring, with that keyring's own dialog: the
// only thing in this package that prompts, and nothing but an explicit command may
// call it. It says whether it was open already, and takes as long as the user
// takes, or ctx. It calls asking before the dialog shows.
func (r *Ring) Unlock(ctx context.Context, asking func()) (already bool, err error) {
	i := slices.IndexFunc(r.homes, func(s *slot) bool { return s.name() == "os" })
	if i < 0 {
		return false, ErrNoOS
	}
	s := r.homes[i]
	_, err = r.Key(ctx, "os")
	if err == nil || errors.Is(err, ErrNotFound) {
		return true, nil
	}
	if !errors.Is(err, ErrLocked) {
		return false, err
	}
	home, ok := s.home.(unlocker)
	if !ok {
		return false, ErrNoDialog
	}
	if err := home.unlock(ctx, asking); err != nil {
		return false, err
	}
	if _, err = r.Key(ctx, "os"); errors.Is(err, ErrNotFound) {
		err = nil
	}
	return false, err
}
