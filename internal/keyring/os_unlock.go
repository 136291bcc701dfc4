//go:build linux || freebsd || netbsd || openbsd || dragonfly

package keyring

import (
	"context"
	"errors"
	"slices"

	"github.com/godbus/dbus/v5"
)

const promptFace = "org.freedesktop.Secret.Prompt"

// unlock is a conversation of our own, because go-keyring's can't be ended and takes
// a dialog that was dismissed for an answer.
func (s secretService) unlock(ctx context.Context, asking func()) error {
	conn, err := s.connect(ctx)
	if err != nil {
		return s.fault(err)
	}
	defer conn.Close() // ends a prompt, too
	if err := conn.Hello(); err != nil {
		return s.fault(err)
	}
	service := conn.Object(secrets, secretsPath)
	introduce(service)
	shut, err := s.shut(ctx, service)
	if err != nil {
		return s.fault(err)
	}
	var opened []dbus.ObjectPath
	var prompt dbus.ObjectPath
	if err := service.CallWithContext(ctx, serviceFace+"Unlock", 0, shut).Store(&opened, &prompt); err != nil {
		return s.fault(err)
	}
	if prompt == noSuchObject {
		return nil
	}
	asking()
	return s.prompt(ctx, conn, prompt)
}

// shut lists what has to be opened: the items that the key may be, else the
// collection that go-keyring writes to.
func (s secretService) shut(ctx context.Context, service dbus.BusObject) ([]dbus.ObjectPath, error) {
	var unlocked, locked, collections []dbus.ObjectPath
	if err := service.CallWithContext(ctx, serviceFace+"SearchItems", 0, attributes()).Store(&unlocked, &locked); err != nil {
		return nil, err
	}
	if len(locked) > 0 {
		return locked, nil
	}
	iface := serviceFace[:len(serviceFace)-1]
	if err := service.CallWithContext(ctx, propertyGet, 0, iface, "Collections").Store(&collections); err != nil {
		return nil, err
	}
	if slices.Contains(collections, loginPath) {
		return []dbus.ObjectPath{loginPath}, nil
	}
	var target dbus.ObjectPath
	err := service.CallWithContext(ctx, serviceFace+"ReadAlias", 0, "default").Store(&target)
	return []dbus.ObjectPath{target}, err
}

// prompt shows a dialog and waits for what its user does.
func (s secretService) prompt(ctx context.Context, conn *dbus.Conn, prompt dbus.ObjectPath) error {
	match := []dbus.MatchOption{dbus.WithMatchObjectPath(prompt), dbus.WithMatchInterface(promptFace)}
	if err := conn.AddMatchSignalContext(ctx, match...); err != nil {
		return s.fault(err)
	}
	signals := make(chan *dbus.Signal, 8)
	conn.Signal(signals)
	if err := conn.Object(secrets, prompt).CallWithContext(ctx, promptFace+".Prompt", 0, "").Err; err != nil {
		return s.fault(err)
	}
	for {
		select {
		case <-ctx.Done():
			return unavailable(s.title(), ctx.Err())
		case signal, ok := <-signals:
			if !ok {
				return unavailable(s.title(), errors.New("it went away"))
			}
			if signal.Path != prompt || signal.Name != promptFace+".Completed" || len(signal.Body) == 0 {
				continue
			}
			if dismissed, is := signal.Body[0].(bool); !is || dismissed {
				return ErrDismissed
			}
			return nil
		}
	}
}
