package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// Names of the Secret Service API.
const (
	busName         = "org.freedesktop.secrets"
	servicePath     = dbus.ObjectPath("/org/freedesktop/secrets")
	loginPath       = servicePath + "/collection/login"
	serviceIface    = "org.freedesktop.Secret.Service"
	itemIface       = "org.freedesktop.Secret.Item"
	collectionIface = "org.freedesktop.Secret.Collection"
	promptIface     = "org.freedesktop.Secret.Prompt"
	propertiesIface = "org.freedesktop.DBus.Properties"
	addressVar      = "DBUS_SESSION_BUS_ADDRESS"
)

// A session is a D-Bus session with a home directory of its own, in which gnome-keyring can run. Its children use the
// Secret Service there.
type session struct {
	child
	t       *testing.T
	home    string
	address string        // of the bus
	stop    func()        // stops the keyring; nil before it starts
	pid     int           // of the keyring
	timeout time.Duration // of the backend in children; 0 for the usual one
}

// startSession starts a bus; env is added to the environment of the bus, and so of what the bus starts.
func startSession(t *testing.T, busConfig string, env ...string) *session {
	t.Helper()
	requireTools(t, "dbus-daemon")
	home := t.TempDir()
	s := &session{t: t, home: home, address: "unix:path=" + filepath.Join(home, "bus-socket")}
	s.env, s.keys = append([]string{"HOME=" + home, addressVar + "=" + s.address}, env...), map[string]string{}
	s.start(exec.Command("dbus-daemon", busConfig, "--nofork", "--nopidfile", "--address="+s.address), "")
	s.awaitName("org.freedesktop.DBus", true)
	t.Cleanup(func() { // what the bus started may outlive it
		for pid := range s.processes() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return s
}

// busWithoutActivation configures a bus that starts no service on demand: one that it starts when the test's own has
// just ended would not be known to the test.
func busWithoutActivation(t *testing.T) (flag string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bus.conf")
	err := os.WriteFile(path, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
</policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return "--config-file=" + path
}

// start starts a daemon, which ends with the test or with stop.
func (s *session) start(cmd *exec.Cmd, stdin string) (stop func(), pid int) {
	s.t.Helper()
	cmd.Env = append(append([]string{}, s.env...), "PATH="+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+s.home)
	cmd.Stdin = strings.NewReader(stdin)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	stop = func() {
		cmd.Process.Signal(syscall.SIGCONT)
		cmd.Process.Kill()
		cmd.Wait()
	}
	s.t.Cleanup(stop)
	return stop, cmd.Process.Pid
}

// startKeyring starts gnome-keyring, after it has stopped the one before. Without a password it stays locked;
// "password" is the right one.
func (s *session) startKeyring(password string) {
	s.t.Helper()
	requireTools(s.t, "gnome-keyring-daemon")
	if s.stop != nil {
		s.stop()
		s.awaitName(busName, false)
	}
	cmd := exec.Command("gnome-keyring-daemon", "--foreground", "--components=secrets")
	if password != "" {
		cmd.Args = append(cmd.Args, "--unlock")
	}
	s.stop, s.pid = s.start(cmd, password)
	s.awaitName(busName, true)
	if password == "password" {
		s.awaitUnlocked()
	}
}

// await calls done until it returns true.
func (s *session) await(what string, done func(*dbus.Conn) bool) {
	s.t.Helper()
	found := waitFor(func() bool {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		defer cancel()
		conn, err := dbus.Connect(s.address, dbus.WithContext(ctx))
		if err != nil {
			return false
		}
		defer conn.Close()
		return done(conn)
	})
	if !found {
		s.t.Fatal("there is still no " + what)
	}
}

// awaitName waits until name has an owner on the bus, or none any more.
func (s *session) awaitName(name string, owned bool) {
	s.t.Helper()
	s.await(fmt.Sprintf("change of %s to owned %t", name, owned), func(conn *dbus.Conn) bool {
		var has bool
		err := conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&has)
		return err == nil && has == owned
	})
}

// awaitUnlocked waits for the login collection, which gnome-keyring creates or unlocks after it has taken its name.
func (s *session) awaitUnlocked() {
	s.t.Helper()
	s.await("unlocked login collection", func(conn *dbus.Conn) bool {
		get := func(path dbus.ObjectPath, iface, property string, value any) error {
			return conn.Object(busName, path).Call(propertiesIface+".Get", 0, iface, property).Store(value)
		}
		locked := true
		get(servicePath, serviceIface, "Collections", new([]dbus.ObjectPath)) // see introduce in package secretservice
		err := get(loginPath, collectionIface, "Locked", &locked)
		return err == nil && !locked
	})
}

// processes returns the names of the processes that were given this session's bus.
func (s *session) processes() map[int]string {
	found := map[int]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, _ := os.ReadFile(dir + "/environ")
		if !bytes.Contains(env, []byte(addressVar+"="+s.address)) {
			continue
		}
		var pid int
		fmt.Sscan(filepath.Base(dir), &pid)
		exe, _ := os.Readlink(dir + "/exe")
		found[pid] = filepath.Base(exe)
	}
	return found
}

func (s *session) prompters() (names []string) {
	for _, name := range s.processes() {
		if strings.Contains(name, "prompt") || strings.Contains(name, "askpass") {
			names = append(names, name)
		}
	}
	return names
}

// keyringDied is what onResponse panics with in retryIfKeyringDies.
type keyringDied struct{}

// retryIfKeyringDies runs a test of many clients, and once more in a new session if gnome-keyring ended by itself: it
// has bugs of its own when many clients connect. If it ends twice, the test fails. The bug that clients can cause, and
// ours must not, has a test of its own that depends on no timing: TestSecretService_waits_for_introduction.
func retryIfKeyringDies(t *testing.T, test func(s *session)) {
	t.Helper()
	try := func() (died bool) {
		defer func() {
			cause := recover()
			if _, died = cause.(keyringDied); cause != nil && !died {
				panic(cause)
			}
		}()
		s := startSession(t, busWithoutActivation(t))
		s.onResponse = func(resp response) {
			if resp.Err != "" && s.hasKeyringDied() {
				t.Log("gnome-keyring died: " + resp.Err)
				panic(keyringDied{})
			}
		}
		test(s)
		return false
	}
	for range 2 {
		if !try() {
			return
		}
	}
	t.Fatal("gnome-keyring died twice")
}

// hasKeyringDied reports whether the keyring, if one was started, has ended.
func (s *session) hasKeyringDied() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid))
	return s.pid != 0 && (err != nil || strings.Contains(string(stat), ") Z "))
}

func (s *session) request(do string) request {
	return request{Do: do, Choice: "os", Timeout: s.timeout}
}

func (s *session) steps(steps ...string) {
	s.t.Helper()
	s.child.steps(s.t, s.request(""), steps...)
}

// maxTime is what a keyring may cost a process in any state.
const maxTime = 3 * time.Second

// expectError wants the same kind of error, within the allowed time, of all uses, each in a process of its own.
func (s *session) expectError(kind, text string) {
	s.t.Helper()
	allowed := maxTime
	if s.timeout != 0 {
		allowed -= osTimeout - s.timeout
	}
	for _, do := range []string{"key", "concurrent keys", "create", "delete"} {
		start := time.Now()
		resp := s.run(s.t, s.request(do))
		if took := time.Since(start); took > allowed || s.timeout != 0 && resp.Again >= s.timeout {
			s.t.Errorf("%s took %v, and another use of the same Store %v", do, took, resp.Again)
		}
		if resp.Kind != kind || !strings.Contains(resp.Err, text) || resp.Key != "" {
			s.t.Errorf("%s: %s (%s), want %s with the text %q", do, resp.Kind, resp.Err, kind, text)
		}
	}
	if names := s.prompters(); len(names) > 0 {
		s.t.Errorf("it prompted: %s", names)
	}
}

// expectLocked wants the error of a locked keyring of all uses.
func (s *session) expectLocked() {
	s.t.Helper()
	s.expectError("locked", "the OS keyring (Secret Service) is locked")
}

// fakeDBusLaunch puts a dbus-launch into a directory for the PATH, and returns how to find out whether it was run.
func fakeDBusLaunch(t *testing.T, dir string) (path string, ran func() bool) {
	t.Helper()
	bin, mark := filepath.Join(dir, "bin"), filepath.Join(dir, "launched")
	script := "#!/bin/sh\n: > " + mark + "\nexit 1\n"
	err := errors.Join(os.MkdirAll(bin, 0o755), os.WriteFile(filepath.Join(bin, "dbus-launch"), []byte(script), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	return bin, func() bool { _, err := os.Stat(mark); return err == nil }
}
