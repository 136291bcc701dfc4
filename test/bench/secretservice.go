package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// busConfig is a session bus that starts no service on demand: such a service would outlive the benchmark.
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

// startSecretService starts a session bus and an unlocked gnome-keyring, and returns the variable for clients.
func (b *bench) startSecretService() (variable string, err error) {
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
	if err := b.startDaemon(env, "", "dbus-daemon", "--nofork", "--config-file="+config); err != nil {
		return "", err
	}
	if err := waitForSocket(socket); err != nil {
		return "", err
	}
	// With an empty password gnome-keyring unlocks nothing.
	err = b.startDaemon(env, "password", "gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets")
	return variable, err
}

// startDaemon starts a process in the foreground, so that close can kill it.
func (b *bench) startDaemon(env []string, stdin, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdin = env, strings.NewReader(stdin)
	if err := cmd.Start(); err != nil {
		return err
	}
	b.daemons = append(b.daemons, cmd)
	return nil
}

// waitForSocket waits for the bus. cached waits for the keyring.
func waitForSocket(path string) error {
	for range 100 {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return errors.New("dbus-daemon made no socket")
}

// dockerHelper returns the row of docker-credential-secretservice, for comparison. It has one secret in the same
// keyring, no vault and no token to renew.
func (b *bench) dockerHelper(bus string) (*row, error) {
	const name = "docker-credential-secretservice"
	path, err := exec.LookPath(name)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: not installed", errSkipped, name)
	}
	home, err := b.newHome("docker-helper")
	if err != nil {
		return nil, err
	}
	r := &row{
		name: name + " get", program: path, args: []string{"get"}, env: b.env(home, "none", b.proxy, []string{bus}),
		user: "user", theirs: true,
	}
	secret := strings.Repeat("s", 1000)
	login, err := json.Marshal(map[string]string{"ServerURL": host, "Username": "user", "Secret": secret})
	if err != nil {
		return nil, err
	}
	store := exec.CommandContext(b.ctx, path, "store")
	store.Env, store.Stdin = r.env, strings.NewReader(string(login))
	if out, err := store.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s store: %w: %s", errSkipped, name, err, out)
	}
	return r, nil
}
