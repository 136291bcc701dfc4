package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// keyringPassword unlocks gnome-keyring. With an empty one it neither makes nor
// unlocks anything.
const keyringPassword = "what the person types"

// A desktop is a session bus with gnome-keyring on it. The keyring's file lies
// in the stage's home.
type desktop struct {
	s       *stage
	address string
	keyring *exec.Cmd
}

// quietBus is a session bus that starts no service by itself: one started on
// demand just when ours has ended would be nobody's to end.
const quietBus = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// startDesktop starts a session with an unlocked keyring, and gives it to the
// clients that follow. dbus-run-session lives as long as the command in it,
// which waits for the end of its standard input.
func (s *stage) startDesktop() *desktop {
	s.t.Helper()
	need(s.t, "dbus-run-session", "gnome-keyring-daemon")
	session := exec.Command("dbus-run-session", "--config-file="+s.write(s.work+"/bus.conf", quietBus), "--", "sh", "-c", "echo $DBUS_SESSION_BUS_ADDRESS; exec cat")
	session.Env = s.environ()
	in, err := session.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := session.Start(); err != nil {
		s.t.Fatal(err)
	}
	d := &desktop{s: s}
	s.desktop = d
	s.t.Cleanup(func() {
		d.stopKeyring()
		in.Close()
		io.Copy(io.Discard, out)
		session.Wait()
		for _, pid := range processesOf(d.address) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatalf("starting a session bus: %v", err)
	}
	d.address = strings.TrimSpace(line)
	s.env["DBUS_SESSION_BUS_ADDRESS"] = d.address
	d.startKeyring(keyringPassword)
	return d
}

// startKeyring starts gnome-keyring anew, locked where the password is empty.
func (d *desktop) startKeyring(password string) {
	d.s.t.Helper()
	d.stopKeyring()
	d.keyring = exec.Command("gnome-keyring-daemon", "--foreground", "--components=secrets")
	if password != "" {
		d.keyring.Args = append(d.keyring.Args, "--unlock")
	}
	d.keyring.Env, d.keyring.Stdin = d.s.environ(), strings.NewReader(password)
	if err := d.keyring.Start(); err != nil {
		d.s.t.Fatal(err)
	}
	d.await(true)
	if password != "" {
		d.awaitUnlocked()
	}
}

// awaitUnlocked waits for what gnome-keyring does after it has come: it creates
// or unlocks the login collection.
func (d *desktop) awaitUnlocked() {
	conn, err := dbus.Connect(d.address)
	if err != nil {
		d.s.t.Fatal(err)
	}
	defer conn.Close()
	const get = "org.freedesktop.DBus.Properties.Get"
	// Asked anything else first, gnome-keyring may die: see internal/keyring.
	conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets").Call(get, 0, "org.freedesktop.Secret.Service", "Collections")
	login := conn.Object("org.freedesktop.secrets", "/org/freedesktop/secrets/collection/login")
	for range 500 {
		locked := true
		err := login.Call(get, 0, "org.freedesktop.Secret.Collection", "Locked").Store(&locked)
		if err == nil && !locked {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.s.t.Fatal("the login collection did not open")
}

// keyringDied ends a story that retryOnDaemonDeath tells.
type keyringDied struct{}

// retryOnDaemonDeath tells a story of many clients, and once more on a new stage
// if gnome-keyring ended by itself: it has bugs of its own in a crowd. Dying
// twice is a failure. That the program doesn't set off the one that clients can
// is tested in internal/keyring, without luck.
func retryOnDaemonDeath(t *testing.T, story func(s *stage)) {
	t.Helper()
	attempt := func() (died bool) {
		defer func() {
			cause := recover()
			if _, died = cause.(keyringDied); cause != nil && !died {
				panic(cause)
			}
		}()
		story(newStage(t))
		return false
	}
	for range 2 {
		if !attempt() {
			return
		}
	}
	t.Fatal("gnome-keyring died twice")
}

// mourn is for the moment after a crowd, before what it did is judged: it ends
// the story if the keyring has died.
func (s *stage) mourn() {
	if s.desktop == nil || s.desktop.keyring == nil {
		return
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.desktop.keyring.Process.Pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		s.t.Log("gnome-keyring died")
		panic(keyringDied{})
	}
}

func (d *desktop) stopKeyring() {
	if d.keyring == nil {
		return
	}
	d.keyring.Process.Kill()
	d.keyring.Wait()
	d.keyring = nil
	d.await(false)
}

// await waits until the Secret Service is, or no longer is, on the bus. Asking
// for its owner doesn't start one.
func (d *desktop) await(there bool) {
	conn, err := dbus.Connect(d.address)
	if err != nil {
		d.s.t.Fatal(err)
	}
	defer conn.Close()
	for range 1000 {
		var owned bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&owned)
		if err == nil && owned == there {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.s.t.Fatal("the Secret Service did not come or go")
}
