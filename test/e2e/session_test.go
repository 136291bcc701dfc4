package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// keyringPassword unlocks gnome-keyring. With an empty password, gnome-keyring neither creates nor unlocks a
// collection.
const keyringPassword = "the user's password"

// A session is a D-Bus session with gnome-keyring, whose file is in the fixture's home directory.
type session struct {
	f       *fixture
	address string
	keyring *exec.Cmd
}

// busConfig is a session bus that starts no service on demand: such a service would not be a child of this process.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
	"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>`

// startSession starts a session with an unlocked keyring for the clients that follow. dbus-run-session runs until the
// command in it ends, which reads its standard input to the end.
func (f *fixture) startSession() *session {
	f.t.Helper()
	requireTools(f.t, "dbus-run-session", "gnome-keyring-daemon")
	config := f.write(f.work+"/bus.conf", busConfig)
	cmd := exec.Command("dbus-run-session", "--config-file="+config, "--",
		"sh", "-c", "echo $DBUS_SESSION_BUS_ADDRESS; exec cat")
	cmd.Env = f.environ()
	in, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	s := &session{f: f}
	f.session = s
	f.t.Cleanup(func() {
		s.stopKeyring()
		in.Close()
		io.Copy(io.Discard, out)
		cmd.Wait()
		for _, pid := range processesOf(s.address) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		f.t.Fatalf("starting a session bus: %v", err)
	}
	s.address = strings.TrimSpace(line)
	f.env["DBUS_SESSION_BUS_ADDRESS"] = s.address
	s.startKeyring(keyringPassword)
	return s
}

// processesOf returns the processes that have this bus in their environment: gnome-keyring starts some that may outlive
// it.
func processesOf(address string) (pids []int) {
	if address == "" {
		return nil // every session would match
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && bytes.Contains(environ, []byte("DBUS_SESSION_BUS_ADDRESS="+address)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// startKeyring restarts gnome-keyring; with an empty password it stays locked.
func (s *session) startKeyring(password string) {
	s.f.t.Helper()
	s.stopKeyring()
	s.keyring = exec.Command("gnome-keyring-daemon", "--foreground", "--components=secrets")
	if password != "" {
		s.keyring.Args = append(s.keyring.Args, "--unlock")
	}
	s.keyring.Env, s.keyring.Stdin = s.f.environ(), strings.NewReader(password)
	if err := s.keyring.Start(); err != nil {
		s.f.t.Fatal(err)
	}
	s.wait("start of gnome-keyring", s.hasService(true))
	if password != "" {
		s.wait("the login collection", isUnlocked)
	}
}

func (s *session) stopKeyring() {
	if s.keyring == nil {
		return
	}
	s.keyring.Process.Kill()
	s.keyring.Wait()
	s.keyring = nil
	s.wait("end of gnome-keyring", s.hasService(false))
}

// wait waits until a condition holds on the bus.
func (s *session) wait(what string, holds func(*dbus.Conn) bool) {
	s.f.t.Helper()
	conn, err := dbus.Connect(s.address)
	if err != nil {
		s.f.t.Fatal(err)
	}
	defer conn.Close()
	for range 1000 {
		if holds(conn) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.f.t.Fatalf("waited 10 s for the %s", what)
}

// hasService returns the condition that the Secret Service is on the bus, or is not.
func (s *session) hasService(want bool) func(*dbus.Conn) bool {
	return func(conn *dbus.Conn) bool {
		var has bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, "org.freedesktop.secrets").Store(&has)
		return err == nil && has == want
	}
}

// isUnlocked reports whether gnome-keyring has created or unlocked the login collection, which it does after its start.
func isUnlocked(conn *dbus.Conn) bool {
	const get, name = "org.freedesktop.DBus.Properties.Get", "org.freedesktop.secrets"
	// Any other first call may kill gnome-keyring, see internal/keystore/secretservice.
	conn.Object(name, "/org/freedesktop/secrets").Call(get, 0, "org.freedesktop.Secret.Service", "Collections")
	locked := true
	login := conn.Object(name, "/org/freedesktop/secrets/collection/login")
	err := login.Call(get, 0, "org.freedesktop.Secret.Collection", "Locked").Store(&locked)
	return err == nil && !locked
}

// keyringDied is what checkKeyringAlive panics with.
type keyringDied struct{}

// retryIfKeyringDies runs a test with many processes, and a second time if gnome-keyring died, which has bugs under
// load. internal/keystore tests that the program does not trigger the bug that a client can trigger.
func retryIfKeyringDies(t *testing.T, test func(f *fixture)) {
	t.Helper()
	attempt := func() (died bool) {
		defer func() {
			cause := recover()
			if _, died = cause.(keyringDied); cause != nil && !died {
				panic(cause)
			}
		}()
		test(newFixture(t))
		return false
	}
	for range 2 {
		if !attempt() {
			return
		}
	}
	t.Fatal("gnome-keyring died twice")
}

// checkKeyringAlive ends the test if gnome-keyring has died. Tests call it before they check results.
func (f *fixture) checkKeyringAlive() {
	if f.session == nil || f.session.keyring == nil {
		return
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.session.keyring.Process.Pid))
	if err != nil || strings.Contains(string(stat), ") Z ") {
		f.t.Log("gnome-keyring died")
		panic(keyringDied{})
	}
}
