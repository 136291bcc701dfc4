package keystore

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestSecretService_Create(t *testing.T) {
	retryIfKeyringDies(t, func(s *session) {
		s.startKeyring("password")
		s.steps("key:not found", "create:A", "key:A", "create:A", "concurrent keys:A")
		s.steps("go-keyring get") // finds by our attributes what it wrote
		s.startKeyring("password")
		s.steps("key:A", "delete", "delete:not found", "create:B")
		s.steps("go-keyring set", "key:not a key", "create:not a key", "delete:not a key", "key:not a key")
	})
}

func TestSecretService_locked(t *testing.T) {
	for _, row := range []struct{ name, before, password, after string }{
		{"never unlocked", "create:A", "", "key:A"},
		{"wrong password", "create:A", "another", "key:A"},
		// It must not look like one that can take a key: writing would prompt.
		{"without a key", "key:not found", "", "key:not found"},
	} {
		t.Run(row.name, func(t *testing.T) {
			retryIfKeyringDies(t, func(s *session) {
				s.startKeyring("password")
				s.steps(row.before)
				s.startKeyring(row.password)
				s.expectLocked()
				s.startKeyring("password")
				s.steps(row.after)
			})
		})
	}
}

// TestSecretService_never_prompts has a display, where go-keyring would show a dialog and wait for it forever. It runs
// go-keyring at the end, to prove that it would have noticed the dialog.
func TestSecretService_never_prompts(t *testing.T) {
	requireTools(t, "Xvfb")
	display := fmt.Sprintf(":%d", 1000+os.Getpid()%20000)
	s := startSession(t, "--session", "DISPLAY="+display) // the bus starts the prompter on demand
	s.start(exec.Command("Xvfb", display, "-nolisten", "tcp"), "")
	waitFor(func() bool { _, err := os.Stat("/tmp/.X11-unix/X" + display[1:]); return err == nil })
	s.startKeyring("password")
	s.steps("create:A")
	s.startKeyring("")
	s.expectLocked()

	go s.try(s.request("go-keyring get")) // ends with the session
	if !waitFor(func() bool { return len(s.prompters()) > 0 }) {
		skipIncapable(t, "go-keyring itself did not prompt here, so this test proves nothing")
	}
}

// waitFor calls done until it returns true, for up to ten seconds.
func waitFor(done func() bool) bool {
	for range 500 {
		if done() {
			return true
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

func TestSecretService_unavailable(t *testing.T) {
	t.Parallel() // it mostly waits
	t.Run("no collection", func(t *testing.T) {
		requireTools(t, "gnome-keyring-daemon")
		s := startSession(t, "--session") // the bus starts gnome-keyring on demand
		s.expectError("unavailable", "no login and no default collection")
	})
	t.Run("no service", func(t *testing.T) {
		startSession(t, busWithoutActivation(t)).expectError("unavailable", "org.freedesktop.secrets")
	})
	const shortTimeout = 200 * time.Millisecond // because the test waits for it several times
	t.Run("stopped", func(t *testing.T) {
		s := startSession(t, busWithoutActivation(t))
		s.startKeyring("password")
		s.steps("create:A")
		syscall.Kill(s.pid, syscall.SIGSTOP)
		s.timeout = shortTimeout
		s.expectError("unavailable", "did not respond within 200ms")
		syscall.Kill(s.pid, syscall.SIGCONT)
		s.timeout = 0
		s.steps("key:A")
	})
	t.Run("silent bus", func(t *testing.T) {
		socket := filepath.Join(t.TempDir(), "silent")
		defer must(net.Listen("unix", socket)).Close() // the kernel accepts connections, and the test does not
		s := &session{t: t, timeout: shortTimeout}
		s.env = []string{addressVar + "=unix:path=" + socket}
		s.expectError("unavailable", "did not respond within 200ms")
	})
	// The address of an ended session. That the socket does not exist does not mean that the key does not exist.
	t.Run("missing socket", func(t *testing.T) {
		store := openOSKeyring(t, "unix:path="+filepath.Join(t.TempDir(), "bus"))
		_, err := store.Key(t.Context(), OS)
		if timeout := store.backends[0].timeout; kind(err) != "unavailable" || errors.Is(err, ErrNotFound) ||
			timeout != osTimeout {
			t.Errorf("%v; timeout %v", err, timeout)
		}
	})
}

func TestSecretService_never_starts_bus(t *testing.T) {
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		t.Skip("this user has a session bus that can't be hidden")
	}
	home := t.TempDir()
	bin, ran := fakeDBusLaunch(t, home)
	s := &session{t: t, home: home, address: "unix:path=" + home}
	s.adapt = func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "PATH="+bin) }
	for _, address := range []string{"autolaunch:", "autolaunch:scope=*user", ""} {
		s.env = []string{"HOME=" + home, "XDG_RUNTIME_DIR=" + home}
		if address != "" {
			s.env = append(s.env, addressVar+"="+address)
		}
		s.expectError("unavailable", "there is no D-Bus session bus")
		resp := s.run(t, request{Do: "key", Choice: "auto", Label: t.Name()})
		if len(resp.Backends) != 1 || resp.Backends[0] != Kernel || ran() {
			t.Fatalf("%q: auto has backends %q; it ran dbus-launch: %t", address, resp.Backends, ran())
		}
	}
	if s.run(t, s.request("go-keyring get")); !ran() { // which proves that the test would have noticed
		t.Error("go-keyring did not run the fake dbus-launch")
	}
}

// TestSecretService_bus_in_runtime_directory has a bus that go-keyring doesn't find by itself: writing must not start
// another one.
func TestSecretService_bus_in_runtime_directory(t *testing.T) {
	s := startSession(t, busWithoutActivation(t))
	s.startKeyring("password")
	bin, ran := fakeDBusLaunch(t, s.home)
	if err := os.Symlink("bus-socket", filepath.Join(s.home, "bus")); err != nil {
		t.Fatal(err)
	}
	c := s.child
	c.env = []string{"HOME=" + s.home, "XDG_RUNTIME_DIR=" + s.home}
	c.adapt = func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, "PATH="+bin) }
	if c.steps(t, s.request(""), "create:A"); ran() {
		t.Error("it ran dbus-launch")
	}
	s.steps("key:A") // with the bus's address
}
