//go:build linux || freebsd || netbsd || openbsd

package secretservice

import (
	"context"
	"errors"

	"github.com/godbus/dbus/v5"
)

var errDismissed = errors.New("its dialog was closed or could not be shown (it needs a desktop session)")

// Unlock shows the keyring's own dialog and waits until it ends. go-keyring's unlock
// can't be canceled, and takes a dismissed dialog for success. It calls prompting before
// the dialog shows.
func (k Keyring) Unlock(ctx context.Context, prompting func()) error {
	conn, err := k.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() // which also ends a prompt
	if err := conn.Hello(); err != nil {
		return err
	}
	service := conn.Object(busName, servicePath)
	introduce(service)
	objects, err := k.lockedObjects(ctx, service)
	if err != nil {
		return err
	}
	var prompt dbus.ObjectPath
	err = service.CallWithContext(ctx, serviceIface+".Unlock", 0, objects).Store(new([]dbus.ObjectPath), &prompt)
	if err != nil || prompt == noObject {
		return err
	}
	prompting()
	return runPrompt(ctx, conn, prompt)
}

// lockedObjects returns what has to be unlocked: the items that the key may be, else the
// collection that go-keyring writes to.
func (k Keyring) lockedObjects(ctx context.Context, service dbus.BusObject) ([]dbus.ObjectPath, error) {
	var unlocked, locked []dbus.ObjectPath
	err := service.CallWithContext(ctx, serviceIface+".SearchItems", 0, k.attributes()).Store(&unlocked, &locked)
	if err != nil || len(locked) > 0 {
		return locked, err
	}
	target, err := writeTarget(service)
	return []dbus.ObjectPath{target}, err
}

// runPrompt shows a dialog and waits for the user.
func runPrompt(ctx context.Context, conn *dbus.Conn, prompt dbus.ObjectPath) error {
	match := []dbus.MatchOption{dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(promptIface)}
	if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
		return err
	}
	signals := make(chan *dbus.Signal, 8)
	conn.Signal(signals)
	if err := conn.Object(busName, prompt).CallWithContext(ctx, promptIface+".Prompt", 0, "").Err; err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case signal, ok := <-signals:
			if !ok {
				return errors.New("the keyring service stopped")
			}
			if signal.Path != prompt || signal.Name != promptIface+".Completed" || len(signal.Body) == 0 {
				continue
			}
			if dismissed, ok := signal.Body[0].(bool); !ok || dismissed {
				return errDismissed
			}
			return nil
		}
	}
}
