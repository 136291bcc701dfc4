package keyring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// promise is what a keyring in any state may cost a whole process. It is the
// only time that these tests judge.
const promise = 3 * time.Second

func TestChooseItem(t *testing.T) {
	const login, a, b = loginPath + "/1", secretsPath + "/collection/a/1", secretsPath + "/collection/b/1"
	type paths = []dbus.ObjectPath
	tests := []struct {
		unlocked, locked paths
		item             dbus.ObjectPath
		kind             string
	}{
		{nil, nil, "", "not found"},
		{paths{b, login, a}, nil, login, ""},
		{paths{b, a}, nil, a, ""},
		{paths{a, b}, nil, a, ""},
		{paths{a}, paths{b}, a, ""},
		{paths{a}, paths{login}, "", "locked"}, // a is an old one: another key
		{nil, paths{a}, "", "locked"},
	}
	for _, tt := range tests {
		item, err := secretService{}.choose(tt.unlocked, tt.locked)
		if item != tt.item || kind(err) != tt.kind {
			t.Errorf("unlocked %q, locked %q: %q, %v", tt.unlocked, tt.locked, item, err)
		}
	}
}

// A bus whose listen queue is full for a moment is waited for.
func TestDialingABusyBus(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	addr := &net.UnixAddr{Net: "unix", Name: filepath.Join(t.TempDir(), "busy")}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: addr.Name}), syscall.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	dial := func() error { _, err := net.DialUnix("unix", nil, addr); return err }
	for err = nil; err == nil; err = dial() {
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("a full queue: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := whileBusy(ctx, dial); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("it stays full: %v", err)
	}
	go syscall.Accept(fd)
	if err := whileBusy(t.Context(), dial); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// A desktop is a session bus with a home directory of its own, where
// gnome-keyring runs, or doesn't.
type desktop struct {
	child
	t       *testing.T
	home    string
	address string
	pid     int // of the keyring; 0 before there is one
}

// startDesktop starts a bus; extra is added to the environment of the bus, and
// so of what it starts.
func startDesktop(t *testing.T, config string, extra ...string) *desktop {
	t.Helper()
	need(t, "dbus-daemon")
	binary, home := self(t)
	d := &desktop{t: t, home: home, address: "unix:path=" + filepath.Join(home, "bus-socket")}
	d.child = child{binary: binary, env: append([]string{"HOME=" + home, busAddressVar + "=" + d.address}, extra...)}
	d.start(exec.Command("dbus-daemon", config, "--nofork", "--nopidfile", "--address="+d.address), "")
	d.await("org.freedesktop.DBus", true)
	// What the bus starts on demand may outlive it, and is known by the address
	// that it was given.
	t.Cleanup(func() {
		for pid := range d.processes() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return d
}

// start starts a daemon that is ended with the test, and returns how to end it
// sooner.
func (d *desktop) start(cmd *exec.Cmd, stdin string) (end func(), pid int) {
	d.t.Helper()
	cmd.Env = append(append([]string{}, d.env...), "PATH="+os.Getenv("PATH"), "XDG_RUNTIME_DIR="+d.home)
	cmd.Stdin = strings.NewReader(stdin)
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	end = func() {
		cmd.Process.Signal(syscall.SIGCONT)
		cmd.Process.Kill()
		cmd.Wait()
	}
	d.t.Cleanup(end)
	return end, cmd.Process.Pid
}

// keyring starts gnome-keyring; without a password it stays locked.
func (d *desktop) keyring(password string) (end func(), pid int) {
	d.t.Helper()
	need(d.t, "gnome-keyring-daemon")
	cmd := exec.Command("gnome-keyring-daemon", "--foreground", "--components=secrets")
	if password != "" {
		cmd.Args = append(cmd.Args, "--unlock")
	}
	kill, pid := d.start(cmd, password)
	d.pid = pid
	d.await(secrets, true)
	if password == "password" {
		d.awaitUnlocked()
	}
	return func() { kill(); d.await(secrets, false) }, pid
}

// keyringDied ends a story that retryOnDaemonDeath tells.
type keyringDied struct{}

// retryOnDaemonDeath tells a story of many clients, and once more on a new
// desktop if gnome-keyring ended by itself: it has bugs of its own in a crowd.
// Dying twice is a failure. The bug that clients can set off, and ours must not,
// has a test that needs no luck: TestSecretServiceIsIntroducedTo.
func retryOnDaemonDeath(t *testing.T, story func(d *desktop)) {
	t.Helper()
	attempt := func() (died bool) {
		defer func() {
			cause := recover()
			if _, died = cause.(keyringDied); cause != nil && !died {
				panic(cause)
			}
		}()
		d := startDesktop(t, quietBus(t))
		d.heard = func(rep report) {
			if rep.Err != "" && d.died() {
				t.Log("gnome-keyring died: " + rep.Err)
				panic(keyringDied{})
			}
		}
		story(d)
		return false
	}
	for range 2 {
		if !attempt() {
			return
		}
	}
	t.Fatal("gnome-keyring died twice")
}

// died reports whether the keyring, where one was started, has ended.
func (d *desktop) died() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.pid))
	return d.pid != 0 && (err != nil || strings.Contains(string(stat), ") Z "))
}

// awaitUnlocked waits for what gnome-keyring does after it has come: it creates
// or unlocks the login collection.
func (d *desktop) awaitUnlocked() {
	d.t.Helper()
	for range 500 {
		conn, err := dbus.Connect(d.address)
		if err == nil {
			introduce(conn.Object(secrets, secretsPath))
			locked := true
			err = conn.Object(secrets, loginPath).Call(propertyGet, 0, "org.freedesktop.Secret.Collection", "Locked").Store(&locked)
			conn.Close()
			if err == nil && !locked {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	d.t.Fatal("the login collection did not open")
}

// await waits until name has, or no longer has, an owner on the bus.
func (d *desktop) await(name string, owned bool) {
	d.t.Helper()
	for range 100 {
		ctx, cancel := context.WithTimeout(d.t.Context(), time.Second)
		conn, err := dbus.Connect(d.address, dbus.WithContext(ctx))
		if err == nil {
			var has bool
			err = conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, name).Store(&has)
			conn.Close()
			if err == nil && has == owned {
				cancel()
				return
			}
		}
		cancel()
		time.Sleep(20 * time.Millisecond)
	}
	d.t.Fatalf("%s did not come or go", name)
}

// processes maps those that were given this desktop's bus to their names.
func (d *desktop) processes() map[int]string {
	found := map[int]string{}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		env, _ := os.ReadFile(dir + "/environ")
		if !bytes.Contains(env, []byte(busAddressVar+"="+d.address)) {
			continue
		}
		var pid int
		fmt.Sscan(filepath.Base(dir), &pid)
		exe, _ := os.Readlink(dir + "/exe")
		found[pid] = filepath.Base(exe)
	}
	return found
}

func (d *desktop) prompters() (names []string) {
	for _, name := range d.processes() {
		if strings.Contains(name, "prompt") || strings.Contains(name, "askpass") {
			names = append(names, name)
		}
	}
	return names
}

func (d *desktop) order(do string) order {
	return order{Do: do, Choice: "os", Lock: filepath.Join(d.home, "lock")}
}

// expect runs key, crowd and make, each in a process of its own, and wants of
// all of them the same kind of answer in the promised time.
func (d *desktop) expect(kind, saying string) {
	d.t.Helper()
	for _, do := range []string{"key", "crowd", "make", "delete"} {
		start := time.Now()
		rep := d.run(d.t, d.order(do))
		if took := time.Since(start); took > promise {
			d.t.Errorf("%s took %v", do, took)
		}
		if rep.Kind != kind || !strings.Contains(rep.Err, saying) || rep.Key != "" {
			d.t.Errorf("%s: %s (%s), want %s saying %q", do, rep.Kind, rep.Err, kind, saying)
		}
		d.t.Logf("%s: %s, took %v, again %v", do, rep.Err, rep.Took, rep.Again)
	}
	if names := d.prompters(); len(names) > 0 {
		d.t.Errorf("prompted: %s", names)
	}
}

func TestSecretServiceKeepsTheKey(t *testing.T) {
	retryOnDaemonDeath(t, keepTheKey)
}

func keepTheKey(d *desktop) {
	t := d.t
	end, _ := d.keyring("password")
	if rep := d.run(t, d.order("key")); rep.Kind != "not found" {
		t.Fatalf("before: %+v", rep)
	}
	made := d.run(t, d.order("make"))
	if made.Err != "" || len(made.Key) != 2*KeySize {
		t.Fatalf("make: %+v", made)
	}
	for _, do := range []string{"key", "make", "crowd"} {
		if rep := d.run(t, d.order(do)); rep.Key != made.Key {
			t.Errorf("%s: another key: %s", do, rep.Err)
		}
	}
	if rep := d.run(t, d.order("go-keyring")); rep.Err != "" {
		t.Errorf("go-keyring does not find what it wrote by our attributes: %s", rep.Err)
	}
	end()
	d.keyring("password")
	if rep := d.run(t, d.order("key")); rep.Key != made.Key {
		t.Errorf("after a restart: %s", rep.Err)
	}
	for _, kind := range []string{"", "not found"} {
		if rep := d.run(t, d.order("delete")); rep.Kind != kind {
			t.Errorf("delete: %s, want %q", rep.Err, kind)
		}
	}
	if rep := d.run(t, d.order("make")); rep.Key == made.Key || rep.Err != "" {
		t.Errorf("the key is still there: %s", rep.Err)
	}
}

func TestSecretServiceLocked(t *testing.T) {
	for name, password := range map[string]string{"never unlocked": "", "wrong password": "another"} {
		t.Run(name, func(t *testing.T) {
			retryOnDaemonDeath(t, func(d *desktop) {
				end, _ := d.keyring("password")
				made := d.run(t, d.order("make"))
				end()
				end, _ = d.keyring(password)
				d.expect("locked", "the Secret Service keyring is locked")
				end()
				d.keyring("password")
				if rep := d.run(t, d.order("key")); rep.Key != made.Key || made.Err != "" {
					t.Errorf("unlocked again: %s %s", made.Err, rep.Err)
				}
			})
		})
	}
}

// A locked collection that holds no key of ours must not look like one that
// could take a key: writing would prompt.
func TestSecretServiceLockedAndEmpty(t *testing.T) {
	retryOnDaemonDeath(t, func(d *desktop) {
		end, _ := d.keyring("password")
		end()
		d.keyring("")
		d.expect("locked", "the Secret Service keyring is locked")
	})
}

func TestSecretServiceNeverSetUp(t *testing.T) {
	need(t, "gnome-keyring-daemon")
	d := startDesktop(t, "--session") // the bus starts gnome-keyring on demand
	d.expect("unavailable", "no login and no default collection")
}

// With a display, go-keyring would show a dialog and wait for it for ever; the
// test does that last, to know that it would have noticed.
func TestSecretServiceNeverPrompts(t *testing.T) {
	need(t, "Xvfb")
	display := fmt.Sprintf(":%d", 1000+os.Getpid()%20000)
	d := startDesktop(t, "--session", "DISPLAY="+display) // the prompter is started on demand
	d.start(exec.Command("Xvfb", display, "-nolisten", "tcp"), "")
	for range 500 {
		if _, err := os.Stat("/tmp/.X11-unix/X" + display[1:]); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	end, _ := d.keyring("password")
	d.run(t, d.order("make"))
	end()
	d.keyring("")
	d.expect("locked", "the Secret Service keyring is locked")

	asked := make(chan struct{})
	go func() { d.try(d.order("go-keyring")); close(asked) }() // ended with the desktop
	for range 500 {
		if len(d.prompters()) > 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	missing(t, "go-keyring itself did not prompt here, so this test proves nothing")
}

func TestSecretServiceStopped(t *testing.T) {
	d := startDesktop(t, quietBus(t))
	_, pid := d.keyring("password")
	made := d.run(t, d.order("make"))
	syscall.Kill(pid, syscall.SIGSTOP)
	d.expect("unavailable", "no answer within")
	syscall.Kill(pid, syscall.SIGCONT)
	if rep := d.run(t, d.order("key")); rep.Key != made.Key || made.Err != "" {
		t.Errorf("going on: %s %s", made.Err, rep.Err)
	}
}

func TestSecretServiceMuteBus(t *testing.T) {
	binary, home := self(t)
	socket := filepath.Join(home, "mute")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close() // held open, in silence, until the test ends
		}
	}()
	address := "unix:path=" + socket
	d := &desktop{t: t, home: home, address: address, child: child{binary: binary, env: []string{busAddressVar + "=" + address}}}
	d.expect("unavailable", "no answer within")
}

func TestSecretServiceBusWithoutOne(t *testing.T) {
	d := startDesktop(t, quietBus(t))
	d.expect("unavailable", "org.freedesktop.secrets")
}

// quietBus is a session bus that starts no service by itself: one started on
// demand just when ours has ended would be nobody's to end.
func quietBus(t *testing.T) (flag string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "bus.conf")
	err := os.WriteFile(config, []byte(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return "--config-file=" + config
}

// fakeLaunch lays a dbus-launch on a path that records being run.
func fakeLaunch(t *testing.T, dir string) (path string, ran func() bool) {
	t.Helper()
	bin, mark := filepath.Join(dir, "bin"), filepath.Join(dir, "launched")
	script := "#!/bin/sh\n: > " + mark + "\nexit 1\n"
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "dbus-launch"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return bin, func() bool { _, err := os.Stat(mark); return err == nil }
}

func TestSecretServiceNeverLaunchesABus(t *testing.T) {
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		t.Skip("this user has a session bus that can't be hidden")
	}
	binary, home := self(t)
	bin, ran := fakeLaunch(t, home)
	for name, env := range map[string]string{
		"none":       "",
		"autolaunch": busAddressVar + "=autolaunch:",
		"scoped":     busAddressVar + "=autolaunch:scope=*user",
	} {
		c := child{binary: binary, env: []string{env, "HOME=" + home, "XDG_RUNTIME_DIR=" + home}}
		c.adapt = func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "PATH="+bin) }
		d := &desktop{t: t, home: home, child: c, address: "unix:path=" + home}
		d.expect("unavailable", "there is no session bus")
		if rep := c.run(t, order{Do: "key", Choice: "auto", Label: t.Name()}); len(rep.Homes) != 1 || rep.Homes[0] != "kernel" {
			t.Errorf("%s: auto has homes %q", name, rep.Homes)
		}
		if ran() {
			t.Fatalf("%s: dbus-launch was run", name)
		}
		if name == "none" {
			defer func() { // go-keyring would have run it: the test can tell
				if c.run(t, d.order("go-keyring")); !ran() {
					t.Error("go-keyring did not run the fake dbus-launch")
				}
			}()
		}
	}
}

// The bus of $XDG_RUNTIME_DIR is one that go-keyring doesn't look for: writing
// must not have it launch another.
func TestSecretServiceInTheRuntimeDirectory(t *testing.T) {
	d := startDesktop(t, quietBus(t))
	d.keyring("password")
	bin, ran := fakeLaunch(t, d.home)
	if err := os.Symlink("bus-socket", filepath.Join(d.home, "bus")); err != nil {
		t.Fatal(err)
	}
	c := d.child
	c.env = []string{"HOME=" + d.home, "XDG_RUNTIME_DIR=" + d.home}
	c.adapt = func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "PATH="+bin) }
	made := c.run(t, d.order("get"))
	if made.Err != "" || ran() {
		t.Errorf("make: %s, dbus-launch was run: %t", made.Err, ran())
	}
	if rep := d.run(t, d.order("key")); rep.Key != made.Key {
		t.Errorf("by address: another key: %s", rep.Err)
	}
}

// One item that isn't a key must stay as it is.
func TestSecretServiceRefusesWhatIsNoKey(t *testing.T) {
	d := startDesktop(t, quietBus(t))
	d.keyring("password")
	for _, do := range []string{"go-keyring rubbish", "key", "make", "key"} {
		rep := d.run(t, d.order(do))
		if do == "go-keyring rubbish" {
			if rep.Err != "" {
				t.Fatal(rep.Err)
			}
			continue
		}
		if rep.Kind != "unavailable" || !strings.Contains(rep.Err, "is not a 32-byte key") || strings.Contains(rep.Err, "rubbish") {
			t.Errorf("%s: %+v", do, rep)
		}
	}
}

func TestFiftyProcessesMakeOneSecretServiceKey(t *testing.T) {
	retryOnDaemonDeath(t, func(d *desktop) {
		d.keyring("password")
		key := d.fifty(t, d.order("get"))
		if rep := d.run(t, d.order("key")); rep.Key != key {
			t.Errorf("afterwards: another key: %s", rep.Err)
		}
	})
}

// TestABusThatIsGoneIsNoLostKey begins with what a stale DBUS_SESSION_BUS_ADDRESS
// leads to: a socket that does not exist says nothing about the key.
func TestABusThatIsGoneIsNoLostKey(t *testing.T) {
	gone := "unix:path=" + filepath.Join(t.TempDir(), "bus")
	r, err := Open(Settings{Choice: "os", Getenv: func(name string) string {
		return map[string]string{"DBUS_SESSION_BUS_ADDRESS": gone}[name]
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Key(t.Context(), "os")
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
