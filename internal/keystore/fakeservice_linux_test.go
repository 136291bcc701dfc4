package keystore

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	itemPath   = loginPath + "/1"
	promptPath = servicePath + "/prompt/1"
)

// A fakeService is a Secret Service that records how clients call it, and that can end instead of answering.
type fakeService struct {
	conn     *dbus.Conn
	finds    []dbus.ObjectPath // what a search finds
	endsAt   string            // the method that it never answers
	onPrompt func()            // what the user does when the dialog shows; nil for a service that can't unlock

	mu         sync.Mutex
	introduced map[dbus.Sender]bool
	sessions   int
	locked     bool
	early      []string // methods called by clients that gnome-keyring may not know yet
}

func (s *session) startFake(f *fakeService) {
	s.t.Helper()
	var err error
	if f.conn, err = dbus.Connect(s.address); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { f.conn.Close() })
	f.introduced = map[dbus.Sender]bool{}
	for path, ifaces := range map[dbus.ObjectPath][]string{
		servicePath: {serviceIface, propertiesIface},
		loginPath:   {propertiesIface},
		itemPath:    {itemIface},
		promptPath:  {promptIface},
	} {
		for _, iface := range ifaces {
			if err := f.conn.Export(f, path, iface); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	if _, err := f.conn.RequestName(busName, 0); err != nil {
		s.t.Fatal(err)
	}
}

// record records a call, and ends the service if it ends there.
func (f *fakeService) record(method string, from dbus.Sender) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.introduced[from] {
		f.early = append(f.early, method)
	}
	if f.endsAt == method {
		f.conn.Close()
	}
}

func (f *fakeService) Get(_, property string, from dbus.Sender) (dbus.Variant, *dbus.Error) {
	if property == "Locked" {
		f.record("Locked", from)
		f.mu.Lock()
		defer f.mu.Unlock()
		return dbus.MakeVariant(f.locked), nil
	}
	time.Sleep(50 * time.Millisecond) // a client that doesn't wait would go on meanwhile
	f.mu.Lock()
	f.introduced[from] = true
	f.mu.Unlock()
	f.record("Collections", from)
	return dbus.MakeVariant([]dbus.ObjectPath{loginPath}), nil
}

func (f *fakeService) OpenSession(_ string, _ dbus.Variant, from dbus.Sender) (
	dbus.Variant, dbus.ObjectPath, *dbus.Error,
) {
	f.record("OpenSession", from)
	f.mu.Lock()
	f.sessions++
	f.mu.Unlock()
	return dbus.MakeVariant(""), servicePath + "/session/1", nil
}

func (f *fakeService) SearchItems(_ map[string]string, from dbus.Sender) (
	unlocked, locked []dbus.ObjectPath, _ *dbus.Error,
) {
	f.record("SearchItems", from)
	return f.finds, nil, nil
}

func (f *fakeService) ReadAlias(_ string, from dbus.Sender) (dbus.ObjectPath, *dbus.Error) {
	f.record("ReadAlias", from)
	return loginPath, nil
}

type fakeSecret struct {
	Session           dbus.ObjectPath
	Parameters, Value []byte
	ContentType       string
}

func (f *fakeService) GetSecret(session dbus.ObjectPath, from dbus.Sender) (fakeSecret, *dbus.Error) {
	f.record("GetSecret", from)
	return fakeSecret{Session: session, Value: []byte(encode(make([]byte, KeySize)))}, nil
}

func (f *fakeService) Unlock(objects []dbus.ObjectPath, from dbus.Sender) (
	[]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error,
) {
	f.record("Unlock", from)
	if f.onPrompt == nil || len(objects) != 1 || objects[0] != loginPath {
		return nil, "/", dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", nil)
	}
	return []dbus.ObjectPath{}, promptPath, nil
}

func (f *fakeService) Prompt(string) *dbus.Error {
	go f.onPrompt()
	return nil
}

// complete ends the dialog, with the collection unlocked or not.
func (f *fakeService) complete(unlocked bool) {
	time.Sleep(20 * time.Millisecond)
	f.mu.Lock()
	f.locked = !unlocked
	f.mu.Unlock()
	f.conn.Emit(promptPath, promptIface+".Completed", !unlocked, dbus.MakeVariant([]dbus.ObjectPath{loginPath}))
}

// TestSecretService_waits_for_introduction proves that a client asks gnome-keyring for nothing but its collections
// until it has answered that: otherwise it can end.
func TestSecretService_waits_for_introduction(t *testing.T) {
	t.Parallel() // it mostly waits
	s := startSession(t, busWithoutActivation(t))
	f := &fakeService{finds: []dbus.ObjectPath{itemPath}}
	s.startFake(f)
	if resp := s.run(t, s.request("key")); resp.Key != strings.Repeat("00", KeySize) {
		t.Errorf("key: %+v", resp)
	}
	f.mu.Lock()
	f.finds = nil
	f.mu.Unlock()
	s.run(t, s.request("create")) // go-keyring can't unlock this service, and gives up
	f.mu.Lock()
	defer f.mu.Unlock()
	// key, create, go-keyring in it, and the key that a child reads again after an error
	if len(f.early) > 0 || f.sessions != 4 || len(f.introduced) != 4 {
		t.Errorf("called too early: %q; %d sessions of %d connections, want 4", f.early, f.sessions, len(f.introduced))
	}
}

// TestSecretService_ends_during_call proves that no client waits until the timeout for a service that has ended.
func TestSecretService_ends_during_call(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, method := range []string{"Collections", "OpenSession", "SearchItems", "ReadAlias", "Locked", "GetSecret"} {
		t.Run(method, func(t *testing.T) {
			s := startSession(t, busWithoutActivation(t))
			f := &fakeService{endsAt: method}
			if method == "GetSecret" {
				f.finds = []dbus.ObjectPath{itemPath}
			}
			s.startFake(f)
			resp := s.run(t, s.request("key"))
			if resp.Kind != "unavailable" || resp.Key != "" || strings.Contains(resp.Err, "did not respond within") {
				t.Errorf("%+v", resp)
			}
		})
	}
}

func openOSKeyring(t *testing.T, bus string) *Store {
	t.Helper()
	return open(t, Settings{Choice: "os", Getenv: func(name string) string {
		return map[string]string{addressVar: bus}[name]
	}})
}

func TestStore_Unlock(t *testing.T) {
	t.Parallel() // it mostly waits
	for _, row := range []struct {
		name     string
		onPrompt func(f *fakeService, cancel func())
		want     string // in the error; "" for none
	}{
		{"user enters password", func(f *fakeService, _ func()) { f.complete(true) }, ""},
		{"user closes dialog", func(f *fakeService, _ func()) { f.complete(false) }, "the OS keyring (Secret Service) is still locked"},
		{"user does nothing", func(_ *fakeService, cancel func()) { cancel() }, "context canceled"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startSession(t, busWithoutActivation(t))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var prompting, dialogs atomic.Int32
			f := &fakeService{locked: true}
			f.onPrompt = func() {
				if dialogs.Add(1); prompting.Load() != 1 {
					t.Error("the dialog shows before it is announced")
				}
				row.onPrompt(f, cancel)
			}
			s.startFake(f)
			store := openOSKeyring(t, s.address)
			already, err := store.Unlock(ctx, func() { prompting.Add(1) })
			ok := row.want == "" && err == nil || row.want != "" && err != nil && strings.Contains(err.Error(), row.want)
			if !ok || already || dialogs.Load() != 1 || len(f.early) > 0 {
				t.Errorf("%v; already %t; %d dialogs; called too early: %q", err, already, dialogs.Load(), f.early)
			}
			if row.want != "" {
				return
			}
			if already, err := store.Unlock(ctx, func() { t.Error("it prompts") }); !already || err != nil {
				t.Errorf("again: %t, %v", already, err)
			}
		})
	}
}

// TestStore_Unlock_gnome_keyring has no program that could show the dialog: that must be an error, without a wait.
func TestStore_Unlock_gnome_keyring(t *testing.T) {
	s := startSession(t, busWithoutActivation(t))
	s.startKeyring("password")
	s.startKeyring("") // of which it has a locked collection
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if already, err := openOSKeyring(t, s.address).Unlock(ctx, func() {}); already || err == nil || ctx.Err() != nil {
		t.Errorf("%t, %v", already, err)
	}
}
