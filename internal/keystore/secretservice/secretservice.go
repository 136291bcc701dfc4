//go:build linux || freebsd || netbsd || openbsd

// Package secretservice holds a text in the Secret Service, the OS keyring of Linux and
// the BSDs. go-keyring writes and deletes; reading is done here, because go-keyring's
// read asks to unlock, which prompts, and takes twice the round trips.
package secretservice

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
	"github.com/zalando/go-keyring"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// Names of the Secret Service API Draft 0.2.
const (
	busName         = "org.freedesktop.secrets"
	servicePath     = dbus.ObjectPath("/org/freedesktop/secrets")
	loginPath       = servicePath + "/collection/login"
	serviceIface    = "org.freedesktop.Secret.Service"
	itemIface       = "org.freedesktop.Secret.Item"
	collectionIface = "org.freedesktop.Secret.Collection"
	promptIface     = "org.freedesktop.Secret.Prompt"
	propertyGet     = "org.freedesktop.DBus.Properties.Get"
	errorLocked     = "org.freedesktop.Secret.Error.IsLocked"
	noObject        = dbus.ObjectPath("/")
	addressVar      = "DBUS_SESSION_BUS_ADDRESS"
)

// A Keyring is one item of the Secret Service.
type Keyring struct {
	address           string // of the session bus; "" for none
	serviceName, user string // by which go-keyring stores and finds the item
}

// Open looks for the session bus, as sd-bus and godbus do. Without one, godbus and so
// go-keyring would run dbus-launch, which leaves a daemon behind each time; so a Keyring
// without a bus fails.
func Open(getenv func(string) string, serviceName, user string) Keyring {
	return Keyring{busAddress(getenv), serviceName, user}
}

// HasBus reports whether there is a session bus.
func (k Keyring) HasBus() bool { return k.address != "" }

func busAddress(getenv func(string) string) string {
	if address := getenv(addressVar); address != "" && !strings.HasPrefix(address, "autolaunch:") {
		return address
	}
	for _, dir := range []string{getenv("XDG_RUNTIME_DIR"), fmt.Sprintf("/run/user/%d", os.Getuid())} {
		if info, err := os.Stat(dir + "/bus"); err == nil && dir != "" && info.Mode().Type() == os.ModeSocket {
			return "unix:path=" + dbus.EscapeBusAddressValue(dir+"/bus")
		}
	}
	return ""
}

// Get reads the item; found is false where there is none. It never unlocks and, apart
// from introduce, never waits for an answer that it doesn't need yet: every cached get
// pays for this conversation.
func (k Keyring) Get(ctx context.Context) (text string, found bool, err error) {
	conn, err := k.connect(ctx)
	if err != nil {
		return "", false, err
	}
	defer conn.Close() // which also ends the session
	session, item, err := k.search(conn)
	if err != nil || item == "" {
		return "", false, err
	}
	var secret struct {
		Session     dbus.ObjectPath
		Parameters  []byte
		Value       []byte
		ContentType string
	}
	err = conn.Object(busName, item).Call(itemIface+".GetSecret", 0, session).Store(&secret)
	return string(secret.Value), err == nil, explain(err)
}

// search opens a session and finds the item; "" where there is none. Its three calls are
// sent together.
func (k Keyring) search(conn *dbus.Conn) (session, item dbus.ObjectPath, err error) {
	service := conn.Object(busName, servicePath)
	hello := conn.BusObject().Go("org.freedesktop.DBus.Hello", 0, nil)
	introduce(service)
	open := service.Go(serviceIface+".OpenSession", 0, nil, "plain", dbus.MakeVariant(""))
	search := service.Go(serviceIface+".SearchItems", 0, nil, k.attributes())

	var unlocked, locked []dbus.ObjectPath
	err = (<-hello.Done).Store(new(string))
	if err == nil {
		err = (<-open.Done).Store(new(dbus.Variant), &session)
	}
	if err == nil {
		err = (<-search.Done).Store(&unlocked, &locked)
	}
	if err != nil {
		return "", "", explain(err)
	}
	if item, err = choose(unlocked, locked); item == "" && err == nil {
		err = checkCollection(conn, service)
	}
	return session, item, err
}

// introduce makes one synchronous property read before the pipelined calls. gnome-keyring
// 42 to 50 registers a new D-Bus peer in a GLib callback; a call that needs that
// registration (OpenSession) and wins the race fails an assertion in
// service_message_filter (gkd-secret-service.c), which ends the daemon for the whole
// session. Result and error are ignored. It costs 0.2 ms.
func introduce(service dbus.BusObject) {
	service.Call(propertyGet, 0, serviceIface, "Collections")
}

func (k Keyring) attributes() map[string]string {
	return map[string]string{"service": k.serviceName, "username": k.user}
}

// choose picks the item of the collection that go-keyring writes to first, the login
// collection; among others the choice must only be the same every time.
func choose(unlocked, locked []dbus.ObjectPath) (dbus.ObjectPath, error) {
	inLogin := func(p dbus.ObjectPath) bool { return strings.HasPrefix(string(p), string(loginPath)+"/") }
	if i := slices.IndexFunc(unlocked, inLogin); i >= 0 {
		return unlocked[i], nil
	}
	if len(unlocked) > 0 && !slices.ContainsFunc(locked, inLogin) {
		return slices.Min(unlocked), nil
	}
	if len(locked) > 0 {
		return "", errLocked
	}
	return "", nil
}

// checkCollection fails where a search that found nothing doesn't mean that there is no
// item: some services show no item of a locked collection. Only where the collection that
// go-keyring would write to exists and is unlocked, there is none; and then the write
// that may follow can't prompt, neither to unlock the collection nor to create one.
func checkCollection(conn *dbus.Conn, service dbus.BusObject) error {
	target, err := writeTarget(service)
	if err == nil && target == noObject {
		return errors.New("it has no login and no default collection")
	}
	var locked bool
	if err == nil {
		err = conn.Object(busName, target).Call(propertyGet, 0, collectionIface, "Locked").Store(&locked)
	}
	if err == nil && locked {
		return errLocked
	}
	return explain(err)
}

// writeTarget returns the collection that go-keyring writes to: the login collection if
// there is one, else the default one; noObject for none. Its two calls are sent together.
func writeTarget(service dbus.BusObject) (target dbus.ObjectPath, err error) {
	list := service.Go(propertyGet, 0, nil, serviceIface, "Collections")
	alias := service.Go(serviceIface+".ReadAlias", 0, nil, "default")
	var collections []dbus.ObjectPath
	if err := (<-list.Done).Store(&collections); err != nil { // go-keyring would panic on another type
		return "", err
	}
	err = (<-alias.Done).Store(&target)
	if slices.Contains(collections, loginPath) {
		return loginPath, nil
	}
	return target, err
}

// connect opens a connection of our own: godbus's shared one is locked while another
// goroutine waits for it. Hello is left to the caller, to be sent with the rest.
func (k Keyring) connect(ctx context.Context) (conn *dbus.Conn, err error) {
	if k.address == "" {
		return nil, errors.New("there is no D-Bus session bus")
	}
	err = retryBusy(ctx, func() error {
		conn, err = dbus.Dial(k.address, dbus.WithContext(ctx))
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

// Set writes the item with go-keyring.
func (k Keyring) Set(ctx context.Context, text string) error {
	return k.withGoKeyring(ctx, func() error { return keyring.Set(k.serviceName, k.user, text) })
}

// Delete deletes the item with go-keyring. Like Set it can't prompt right after Get.
func (k Keyring) Delete(ctx context.Context) error {
	return k.withGoKeyring(ctx, func() error { return keyring.Delete(k.serviceName, k.user) })
}

// withGoKeyring tells go-keyring which bus was found: it looks in the process's
// environment, and not in XDG_RUNTIME_DIR.
func (k Keyring) withGoKeyring(ctx context.Context, do func() error) error {
	if err := os.Setenv(addressVar, k.address); err != nil {
		return err
	}
	return explain(retryBusy(ctx, func() error {
		conn, err := dbus.SessionBus() // shared: go-keyring uses the same one
		if err != nil {
			return err
		}
		introduce(conn.Object(busName, servicePath))
		return do()
	}))
}

// busyPause is between two tries to reach a busy bus.
const busyPause = 5 * time.Millisecond

// retryBusy retries what fails because the bus has more callers waiting than its listen
// queue holds (30 with dbus-daemon): Linux answers a non-blocking connect(2) with EAGAIN
// then, and many processes at once are no reason to find the keyring unavailable.
func retryBusy(ctx context.Context, dial func() error) error {
	for {
		err := dial()
		if !errors.Is(err, syscall.EAGAIN) {
			return err
		}
		select {
		case <-time.After(busyPause):
		case <-ctx.Done():
			return err
		}
	}
}

var errLocked = &fault.Error{Code: fault.KeyringLocked, Reason: "is locked"}

// explain recognizes the error of a locked keyring.
func explain(err error) error {
	if answer, ok := errors.AsType[dbus.Error](err); ok && answer.Name == errorLocked {
		return errLocked
	}
	return err
}
