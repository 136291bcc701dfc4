package keyring

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// A lockedService is a Secret Service whose user answers its dialog.
type lockedService struct {
	fakeService
	open    atomic.Bool
	answers string // types, closes, or nothing at all
	asked   atomic.Int32
}

func (l *lockedService) Get(face, property string, from dbus.Sender) (dbus.Variant, *dbus.Error) {
	if property == "Locked" {
		return dbus.MakeVariant(!l.open.Load()), nil
	}
	return l.fakeService.Get(face, property, from)
}

func (l *lockedService) Unlock(objects []dbus.ObjectPath, from dbus.Sender) ([]dbus.ObjectPath, dbus.ObjectPath, *dbus.Error) {
	l.called("Unlock", from)
	if len(objects) != 1 || objects[0] != loginPath {
		return nil, "/", dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", nil)
	}
	return []dbus.ObjectPath{}, secretsPath + "/prompt/1", nil
}

func (l *lockedService) Prompt(string) *dbus.Error {
	l.asked.Add(1)
	if l.answers == "" {
		return nil
	}
	go func() {
		time.Sleep(20 * time.Millisecond)
		l.open.Store(l.answers == "types")
		l.conn.Emit(secretsPath+"/prompt/1", promptFace+".Completed", l.answers != "types", dbus.MakeVariant([]dbus.ObjectPath{loginPath}))
	}()
	return nil
}

func (d *desktop) lockedKeyring(l *lockedService) {
	d.t.Helper()
	d.fakeKeyring(&l.fakeService)
	for path, face := range map[dbus.ObjectPath]string{
		secretsPath: strings.TrimSuffix(serviceFace, "."), secretsPath + "/prompt/1": promptFace,
	} {
		if err := l.conn.Export(l, path, face); err != nil {
			d.t.Fatal(err)
		}
	}
	for _, path := range []dbus.ObjectPath{secretsPath, loginPath} {
		if err := l.conn.Export(l, path, "org.freedesktop.DBus.Properties"); err != nil {
			d.t.Fatal(err)
		}
	}
}

func TestUnlockAsks(t *testing.T) {
	for _, tt := range []struct {
		answers, says string
		asked         int32
	}{
		{"types", "opened", 1},
		{"closes", "the keyring stays locked", 1},
		{"", "deadline exceeded", 1},
	} {
		t.Run("the user "+tt.answers, func(t *testing.T) {
			d := startDesktop(t, quietBus(t))
			l := &lockedService{answers: tt.answers}
			d.lockedKeyring(l)
			rep := d.run(t, d.order("unlock"))
			if !strings.Contains(rep.Err, tt.says) || l.asked.Load() != tt.asked || len(l.strangers) > 0 {
				t.Errorf("%s; asked %d times; too early %q", rep.Err, l.asked.Load(), l.strangers)
			}
			if tt.answers == "types" {
				if rep := d.run(t, d.order("unlock")); rep.Err != "already open" || l.asked.Load() != 1 {
					t.Errorf("again: %s", rep.Err)
				}
			}
		})
	}
}

// Nobody can show gnome-keyring's dialog here: that is an answer, and a quick one.
func TestUnlockGnomeKeyring(t *testing.T) {
	retryOnDaemonDeath(t, func(d *desktop) {
		t := d.t
		end, _ := d.keyring("password")
		if rep := d.run(t, d.order("unlock")); rep.Err != "already open" {
			t.Errorf("an open one: %s", rep.Err)
		}
		end()
		end, _ = d.keyring("")
		if rep := d.run(t, d.order("unlock")); rep.Err == "opened" || rep.Err == "already open" || strings.Contains(rep.Err, "deadline") {
			t.Errorf("without a prompter: %s", rep.Err)
		} else {
			t.Logf("without a prompter: %s (%v)", rep.Err, rep.Took)
		}
		end()
		d.keyring("password") // as a display manager does at sign-in
		if rep := d.run(t, d.order("unlock")); rep.Err != "already open" {
			t.Errorf("unlocked elsewhere: %s", rep.Err)
		}
	})
}

func TestNothingToUnlock(t *testing.T) {
	for choice, want := range map[string]error{"file": ErrNoOS, "none": ErrNoOS, "kernel": ErrNoOS} {
		r, err := Open(Settings{Choice: choice, Getenv: noEnv})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Unlock(t.Context(), func() { t.Error("asks") }); err != want {
			t.Errorf("%s: %v", choice, err)
		}
	}
}
