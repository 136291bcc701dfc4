//go:build linux || freebsd || netbsd || openbsd || dragonfly

package keyring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	gokeyring "github.com/zalando/go-keyring"
)

// The names of the Secret Service API Draft 0.2.
const (
	secrets       = "org.freedesktop.secrets"
	secretsPath   = dbus.ObjectPath("/org/freedesktop/secrets")
	loginPath     = secretsPath + "/collection/login"
	serviceFace   = "org.freedesktop.Secret.Service."
	itemFace      = "org.freedesktop.Secret.Item."
	propertyGet   = "org.freedesktop.DBus.Properties.Get"
	errIsLocked   = "org.freedesktop.Secret.Error.IsLocked"
	noSuchObject  = dbus.ObjectPath("/")
	busAddressVar = "DBUS_SESSION_BUS_ADDRESS"
)

// secretService is the OS keyring of Linux and the BSDs. go-keyring writes;
// reading is done here, because go-keyring's read asks to unlock, which
// prompts, and takes twice the round trips.
type secretService struct{ address string }

// openOS reports whether there is a session bus. Without one godbus, and so
// go-keyring, would run dbus-launch, which leaves a daemon behind per call.
func openOS(getenv func(string) string) (home, bool) {
	address := busAddress(getenv)
	return secretService{address}, address != ""
}

// busAddress finds the bus where sd-bus and godbus do, autolaunch aside.
func busAddress(getenv func(string) string) string {
	if address := getenv(busAddressVar); address != "" && !strings.HasPrefix(address, "autolaunch:") {
		return address
	}
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), fmt.Sprintf("/run/user/%d", os.Getuid())} {
		if info, err := os.Stat(dir + "/bus"); err == nil && dir != "" && info.Mode().Type() == os.ModeSocket {
			return "unix:path=" + dbus.EscapeBusAddressValue(dir+"/bus")
		}
	}
	return ""
}

func (secretService) name() string  { return "os" }
func (secretService) title() string { return "the Secret Service keyring" }

// read never unlocks and, introductions aside, never waits for an answer that
// it doesn't need yet: the whole conversation is on the path of every cached
// get.
func (s secretService) read(ctx context.Context) ([]byte, error) {
	conn, err := s.connect(ctx)
	if err != nil {
		return nil, s.fault(err)
	}
	defer conn.Close() // ends the session, too
	service := conn.Object(secrets, secretsPath)
	hello := conn.BusObject().Go("org.freedesktop.DBus.Hello", 0, nil)
	introduce(service)
	opened := service.Go(serviceFace+"OpenSession", 0, nil, "plain", dbus.MakeVariant(""))
	found := service.Go(serviceFace+"SearchItems", 0, nil, attributes())

	var session dbus.ObjectPath
	var unlocked, locked []dbus.ObjectPath
	for _, step := range []struct {
		call *dbus.Call
		into []any
	}{
		{hello, []any{new(string)}},
		{opened, []any{new(dbus.Variant), &session}},
		{found, []any{&unlocked, &locked}},
	} {
		if err := (<-step.call.Done).Store(step.into...); err != nil {
			return nil, s.fault(err)
		}
	}
	item, err := s.choose(unlocked, locked)
	if errors.Is(err, ErrNotFound) {
		return nil, s.absent(service, conn)
	}
	if err != nil {
		return nil, err
	}
	var secret struct {
		Session     dbus.ObjectPath
		Parameters  []byte
		Value       []byte
		ContentType string
	}
	if err := conn.Object(secrets, item).Call(itemFace+"GetSecret", 0, session).Store(&secret); err != nil {
		return nil, s.fault(err)
	}
	return decode(s.title(), string(secret.Value))
}

// introduce makes a connection known before it asks for anything of its own. It
// costs a fifth of a millisecond, and spares gnome-keyring (42 as 50), which
// notes its callers in a callback of high priority, after which a first call is
// to run. GLib runs the call first when both come while the main loop is looking
// for what is ready; a call that needs to know its caller, as OpenSession does,
// then fails an assertion that ends the daemon for the whole session
// (service_message_filter in its gkd-secret-service.c). The list of collections
// is everybody's, and comes from the same loop: who has it is known. What it says,
// and whether it came, doesn't matter here.
func introduce(service dbus.BusObject) {
	service.Call(propertyGet, 0, strings.TrimSuffix(serviceFace, "."), "Collections")
}

// attributes are those by which go-keyring stores and finds its items.
func attributes() map[string]string {
	return map[string]string{"service": serviceName, "username": userName}
}

// choose picks the item of the collection that go-keyring writes to first, the
// login collection; among others the choice must only be the same every time.
func (s secretService) choose(unlocked, locked []dbus.ObjectPath) (dbus.ObjectPath, error) {
	inLogin := func(p dbus.ObjectPath) bool { return strings.HasPrefix(string(p), string(loginPath)+"/") }
	if i := slices.IndexFunc(unlocked, inLogin); i >= 0 {
		return unlocked[i], nil
	}
	if len(unlocked) > 0 && !slices.ContainsFunc(locked, inLogin) {
		return slices.Min(unlocked), nil
	}
	if len(locked) > 0 {
		return "", fmt.Errorf("%s %w", s.title(), ErrLocked)
	}
	return "", ErrNotFound
}

// absent tells why the search found nothing. Some services show no item of a
// locked collection, so "not found" counts only where the collection that
// go-keyring would write to exists and is open. That also makes the write that
// may follow one that can't prompt, neither to unlock nor to create one. And
// go-keyring panics on a Collections property of another type; here it is an
// error.
func (s secretService) absent(service dbus.BusObject, conn *dbus.Conn) error {
	listed := service.Go(propertyGet, 0, nil, strings.TrimSuffix(serviceFace, "."), "Collections")
	aliased := service.Go(serviceFace+"ReadAlias", 0, nil, "default")
	var collections []dbus.ObjectPath
	var target dbus.ObjectPath
	if err := (<-listed.Done).Store(&collections); err != nil {
		return s.fault(err)
	}
	if err := (<-aliased.Done).Store(&target); err != nil {
		return s.fault(err)
	}
	if slices.Contains(collections, loginPath) {
		target = loginPath
	}
	if target == noSuchObject {
		return unavailable(s.title(), errors.New("it has no login and no default collection"))
	}
	var shut bool
	err := conn.Object(secrets, target).Call(propertyGet, 0, "org.freedesktop.Secret.Collection", "Locked").Store(&shut)
	if err != nil {
		return s.fault(err)
	}
	if shut {
		return fmt.Errorf("%s %w", s.title(), ErrLocked)
	}
	return fmt.Errorf("%s %w", s.title(), ErrNotFound)
}

// connect opens a connection of our own: godbus's shared one is locked while
// somebody waits for it. Hello is left to the caller, to be sent with the rest.
func (s secretService) connect(ctx context.Context) (conn *dbus.Conn, err error) {
	if s.address == "" {
		return nil, errors.New("there is no session bus")
	}
	err = whileBusy(ctx, func() error {
		conn, err = dbus.Dial(s.address, dbus.WithContext(ctx))
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := conn.Auth(nil); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// write hands the key to go-keyring. That looks for the bus in the process's
// environment, and not in XDG_RUNTIME_DIR, so it is told which one was found.
func (s secretService) write(ctx context.Context, key []byte) error {
	return s.hand(ctx, func() error { return gokeyring.Set(serviceName, userName, encode(key)) })
}

// remove prompts as little as write, for the same reason.
func (s secretService) remove(ctx context.Context) error {
	return s.hand(ctx, func() error { return gokeyring.Delete(serviceName, userName) })
}

func (s secretService) hand(ctx context.Context, do func() error) error {
	if err := os.Setenv(busAddressVar, s.address); err != nil {
		return unavailable(s.title(), err)
	}
	err := whileBusy(ctx, func() error {
		conn, err := dbus.SessionBus() // shared: go-keyring's is the same one
		if err != nil {
			return err
		}
		introduce(conn.Object(secrets, secretsPath))
		return do()
	})
	if err != nil {
		return s.fault(err)
	}
	return nil
}

// whileBusy repeats what fails because the bus has more callers waiting than
// its listen queue holds (30 with dbus-daemon): Linux answers a non-blocking
// connect(2) with EAGAIN then, and a crowd of processes is no reason to find
// the keyring unavailable.
func whileBusy(ctx context.Context, dial func() error) error {
	for {
		err := dial()
		if !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

func (s secretService) fault(err error) error {
	var answer dbus.Error
	if errors.As(err, &answer) && answer.Name == errIsLocked {
		return fmt.Errorf("%s %w", s.title(), ErrLocked)
	}
	return unavailable(s.title(), err)
}
