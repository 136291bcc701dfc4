package keyring

import (
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A fakeService is a Secret Service that tells how it was talked to, and that
// can vanish instead of answering. Its collection is open.
type fakeService struct {
	conn   *dbus.Conn
	holds  []dbus.ObjectPath // what a search finds
	vanish string            // the method that is never answered

	mu         sync.Mutex
	introduced map[dbus.Sender]bool
	opened     int
	strangers  []string // methods called by whom gnome-keyring may not know yet
}

func (d *desktop) fakeKeyring(f *fakeService) {
	d.t.Helper()
	var err error
	if f.conn, err = dbus.Connect(d.address); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { f.conn.Close() })
	f.introduced = map[dbus.Sender]bool{}
	service := strings.TrimSuffix(serviceFace, ".")
	for path, faces := range map[dbus.ObjectPath][]string{
		secretsPath:      {service, "org.freedesktop.DBus.Properties"},
		loginPath:        {"org.freedesktop.DBus.Properties"},
		loginPath + "/1": {strings.TrimSuffix(itemFace, ".")},
	} {
		for _, face := range faces {
			if err := f.conn.Export(f, path, face); err != nil {
				d.t.Fatal(err)
			}
		}
	}
	if _, err := f.conn.RequestName(secrets, 0); err != nil {
		d.t.Fatal(err)
	}
}

// called notes a call and, if it is the one, vanishes.
func (f *fakeService) called(method string, from dbus.Sender) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.introduced[from] {
		f.strangers = append(f.strangers, method)
	}
	if f.vanish == method {
		f.conn.Close()
	}
}

func (f *fakeService) Get(_, property string, from dbus.Sender) (dbus.Variant, *dbus.Error) {
	if property == "Locked" {
		f.called("Locked", from)
		return dbus.MakeVariant(false), nil
	}
	time.Sleep(50 * time.Millisecond) // in which the impatient would go on
	f.mu.Lock()
	f.introduced[from] = true
	f.mu.Unlock()
	f.called("Collections", from)
	return dbus.MakeVariant([]dbus.ObjectPath{loginPath}), nil
}

func (f *fakeService) OpenSession(_ string, _ dbus.Variant, from dbus.Sender) (dbus.Variant, dbus.ObjectPath, *dbus.Error) {
	f.called("OpenSession", from)
	f.mu.Lock()
	f.opened++
	f.mu.Unlock()
	return dbus.MakeVariant(""), secretsPath + "/session/1", nil
}

func (f *fakeService) SearchItems(_ map[string]string, from dbus.Sender) (unlocked, locked []dbus.ObjectPath, _ *dbus.Error) {
	f.called("SearchItems", from)
	return f.holds, nil, nil
}

func (f *fakeService) ReadAlias(_ string, from dbus.Sender) (dbus.ObjectPath, *dbus.Error) {
	f.called("ReadAlias", from)
	return loginPath, nil
}

type fakeSecret struct {
	Session           dbus.ObjectPath
	Parameters, Value []byte
	ContentType       string
}

func (f *fakeService) GetSecret(session dbus.ObjectPath, from dbus.Sender) (fakeSecret, *dbus.Error) {
	f.called("GetSecret", from)
	return fakeSecret{Session: session, Value: []byte(encode(make([]byte, KeySize)))}, nil
}

// Whoever asks gnome-keyring for more than its collections before that has
// answered may end it.
func TestSecretServiceIsIntroducedTo(t *testing.T) {
	d := startDesktop(t, quietBus(t))
	f := &fakeService{holds: []dbus.ObjectPath{loginPath + "/1"}}
	d.fakeKeyring(f)
	if rep := d.run(t, d.order("key")); rep.Key != strings.Repeat("00", KeySize) {
		t.Errorf("reading: %+v", rep)
	}
	f.mu.Lock()
	f.holds = nil
	f.mu.Unlock()
	d.run(t, d.order("make")) // go-keyring finds no way to unlock, and gives up
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.strangers) > 0 {
		t.Errorf("asked too early: %q", f.strangers)
	}
	// a key, a make, go-keyring in it, and the key that a child asks for after a failure
	if f.opened != 4 || len(f.introduced) != 4 {
		t.Errorf("%d sessions of %d connections, want 4", f.opened, len(f.introduced))
	}
}

// A service that dies under its callers costs none of them the deadline.
func TestSecretServiceThatDies(t *testing.T) {
	for _, tt := range []struct {
		at    string
		holds []dbus.ObjectPath
	}{
		{"Collections", nil},
		{"OpenSession", nil},
		{"SearchItems", nil},
		{"ReadAlias", nil},
		{"Locked", nil},
		{"GetSecret", []dbus.ObjectPath{loginPath + "/1"}},
	} {
		t.Run(tt.at, func(t *testing.T) {
			d := startDesktop(t, quietBus(t))
			d.fakeKeyring(&fakeService{holds: tt.holds, vanish: tt.at})
			d.expectDead(d.run(t, d.order("key")))
		})
	}
	t.Run("gnome-keyring", func(t *testing.T) {
		d := startDesktop(t, quietBus(t))
		_, pid := d.keyring("password")
		syscall.Kill(pid, syscall.SIGSTOP) // so that it dies with the question in its hands
		called := d.watchCallers()
		answer := make(chan report, 1)
		go func() { rep, _ := d.try(d.order("key")); answer <- rep }()
		called()
		syscall.Kill(pid, syscall.SIGKILL)
		d.expectDead(<-answer)
	})
}

// watchCallers returns what waits for a caller who comes after this.
func (d *desktop) watchCallers() (called func()) {
	d.t.Helper()
	conn, err := dbus.Connect(d.address)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	list := func() (names []string) {
		if err := conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
			d.t.Fatal(err)
		}
		return names
	}
	before := list()
	return func() {
		known := func(name string) bool { return slices.Contains(before, name) }
		for len(slices.DeleteFunc(list(), known)) == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond) // the name comes before the call
	}
}

// expectDead wants the answer of a service that is gone, not of a silent one.
func (d *desktop) expectDead(rep report) {
	d.t.Helper()
	if rep.Kind != "unavailable" || rep.Key != "" || strings.Contains(rep.Err, "no answer within") {
		d.t.Errorf("%+v", rep)
	}
	d.t.Logf("%s; took %v, again %v", rep.Err, rep.Took, rep.Again)
}
