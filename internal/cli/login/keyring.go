package login

import (
	"context"
	"errors"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/clients"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// keyringFlag is the flag by which users choose once where the key is.
const keyringFlag = "keyring"

// chooseKeyring decides where the key of the login is, before the user takes the trouble to
// sign in. What is typed, or answered, is recorded along with the login.
func (a *attempt) chooseKeyring(ctx context.Context, m method) error {
	l := a.login
	l.Kind = m.kind
	if a.keyring == "" && (l.HasSecret() || !l.NamesNothing()) {
		if err := a.askKeyring(ctx); err != nil {
			return err
		}
	}
	if a.keyring == "" {
		return nil
	}
	if err := a.app.UseKeyring(a.keyring); err != nil {
		return cmdutil.UsageErrorf("%w", err)
	}
	a.vault.Close()
	a.openVault()
	return nil
}

// askKeyring asks where there is no OS keyring, and nothing has been chosen yet. Without a
// terminal the login goes where it always went, with a warning, unless that is where Podman
// can't read it.
func (a *attempt) askKeyring(ctx context.Context) error {
	if a.app.Keyring().Name != "" || a.vault.Dir == "" || a.vault.Err() != nil {
		return nil
	}
	backend, err := a.vault.WritableBackend(ctx)
	switch {
	case err == nil && backend == keystore.OS:
		return nil
	case a.StdinIsTerminal:
		return a.askOnTerminal(ctx, err == nil && backend == keystore.Kernel)
	case err == nil && a.servesNamespace():
		return cmdutil.UsageErrorf("choose where to store the encryption key: --%s file (Podman without root can read it), "+
			"or --%[1]s kernel (Podman without root can't read it)", keyringFlag)
	}
	return nil
}

// askOnTerminal asks for a key file or, if it can be used, the kernel keyring.
func (a *attempt) askOnTerminal(ctx context.Context, hasKernel bool) error {
	_, why := a.app.Keys.Key(ctx, keystore.OS)
	if advice := app.Advice(&app.Error{Registry: text.Quote(a.target), Err: why}); advice != "" {
		a.Note(why.Error() + ". " + advice)
	}
	const file = "With a key file, logins survive a restart and work in Podman and services, but only file permissions " +
		"protect the key"
	path, _ := a.app.KeyFile()
	choices, second := []string{"Key file: " + path}, keystore.Kernel
	if hasKernel {
		a.Note("No OS keyring is available here. " + file + "; with the kernel keyring, the key is never on disk, " +
			"but logins are lost at a restart or after three days without use. Where should the encryption key be?")
		choices = append(choices, "Kernel keyring")
	} else {
		a.Note("No keyring is available here. " + file + ". Store the encryption key in a file?")
		choices, second = append(choices, "No: don't sign in"), ""
	}
	i, err := a.Choose(choices)
	switch {
	case err != nil:
		return err
	case i == 0:
		a.keyring = keystore.File
	case second == "":
		return errors.New("there is no keyring for the login")
	default:
		a.keyring = second
	}
	return nil
}

// servesNamespace reports whether the login is for a registry that Podman or Buildah runs
// this helper for in a user namespace.
func (a *attempt) servesNamespace() bool {
	return clients.New(a.Getenv(), a.app.Clouds).AnyInNamespace(a.host, a.app.Covers(a.target))
}

// recordKeyring makes every session follow the choice. It says so the first time.
func (a *attempt) recordKeyring() error {
	if a.keyring == "" {
		return nil
	}
	before := a.app.Keyring().Name
	if err := a.app.RecordKeyring(a.keyring); err != nil || before == a.keyring {
		return err
	}
	place := keystore.Title(a.keyring)
	if a.keyring == keystore.File {
		path, _ := a.app.KeyFile()
		place = "the file " + path
	}
	a.Note("the encryption key is in " + place + ", in every session from now on")
	return nil
}
