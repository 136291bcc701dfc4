package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// busConfig is a session bus that starts nothing by itself: a service started on
// demand would be nobody's child and outlive the measurement.
const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// secretService starts a session bus and GNOME's keyring on it, unlocked, and
// returns the variable by which to find them.
func (b *bench) secretService() (variable string, err error) {
	for _, name := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(name); err != nil {
			return "", fmt.Errorf("%s is not installed", name)
		}
	}
	home, err := b.newHome("daemons")
	if err != nil {
		return "", err
	}
	socket, config := filepath.Join(home, "bus"), filepath.Join(home, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, socket), 0o600); err != nil {
		return "", err
	}
	variable = "DBUS_SESSION_BUS_ADDRESS=unix:path=" + socket
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, variable}
	if err := b.daemon(env, "", "dbus-daemon", "--nofork", "--config-file="+config); err != nil {
		return "", err
	}
	if err := appears(socket); err != nil {
		return "", err
	}
	// A password of no bytes would unlock nothing.
	err = b.daemon(env, "password", "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	return variable, err
}

// daemon starts a process in the foreground, so that it stays our child.
func (b *bench) daemon(env []string, stdin, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
	if err := cmd.Start(); err != nil {
		return err
	}
	b.daemons = append(b.daemons, cmd)
	return nil
}

// appears waits for a socket. Whether the keyring answers on it shows in the
// rows: a get that finds no key to use asks Azure.
func appears(path string) error {
	for range 100 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("dbus-daemon makes no socket")
}

// debian is docker-credential-secretservice, for comparison: no token to renew,
// no vault, one secret in the same keyring.
func (b *bench) debian(bus string) (*row, error) {
	const name = "docker-credential-secretservice"
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: it is not installed", errUnmeasurable, name)
	}
	home, err := b.newHome("debian")
	if err != nil {
		return nil, err
	}
	r := &row{name: name + " get", program: path, args: []string{"get"}, env: b.env(home, "none", bus), user: "user"}
	login, err := json.Marshal(map[string]string{"ServerURL": host, "Username": "user", "Secret": strings.Repeat("s", 1000)})
	if err != nil {
		return nil, err
	}
	store := exec.CommandContext(b.ctx, path, "store")
	store.Env, store.Stdin = r.env, strings.NewReader(string(login))
	if out, err := store.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s store: %w: %s", errUnmeasurable, name, err, out)
	}
	return r, nil
}
