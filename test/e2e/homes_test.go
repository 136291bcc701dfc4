package e2e

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// keyringLimit is what a keyring that doesn't answer may cost a get.
const keyringLimit = 3 * time.Second

// plainUser is a user whom nobody else is, so that its kernel keyrings are empty
// and whatever it may do, any user may.
const plainUser = 64999

// A crowd of processes that finds a keyring without a key must end with one: an
// entry that another key had sealed would be lost.
func TestFiftyProcessesMakeOneKey(t *testing.T) {
	for _, home := range []string{"file", "kernel", "os"} {
		t.Run(home, func(t *testing.T) {
			retryOnDaemonDeath(t, func(s *stage) { fiftyMakeOneKey(s, home) })
		})
	}
}

func fiftyMakeOneKey(s *stage, home string) {
	s.signIn(clientSecret)
	s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = home
	run := s.get
	switch home {
	case "os":
		s.startDesktop()
	case "kernel":
		run = s.asPlainUser()
	}
	hosts := s.tenRegistries()
	everywhere := func() {
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if out, err := run(hosts[i%10]); err != nil {
					s.t.Errorf("%s: %v: %s", hosts[i%10], err, out)
				}
			})
		}
		all.Wait()
		s.mourn()
	}
	everywhere()
	if found := s.vaultFiles(home + "-*"); len(found) != 1 {
		s.t.Errorf("keys of %q", found)
	}
	everywhere()
	s.exchanges(10)
}

// Vaults that share a keyring share its key: whoever made a second one would
// take the first vault's logins with it.
func TestVaultsThatShareAKeyring(t *testing.T) {
	retryOnDaemonDeath(t, twelveVaults)
}

func twelveVaults(s *stage) {
	s.startDesktop()
	s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "os"
	login := fmt.Sprintf(`{"ServerURL":%q,"Username":"contoso","Secret":%q}`, host, adminPassword)
	var (
		all  sync.WaitGroup
		errs [12]error
	)
	for i := range errs {
		all.Go(func() {
			at := s.dir(fmt.Sprint("home", i))
			if out, err := s.exec(login, "env", "HOME="+at, filepath.Join(bin, program), "store"); err != nil {
				errs[i] = fmt.Errorf("vault %d: %w: %s", i, err, out)
			}
		})
	}
	all.Wait()
	s.mourn()
	if err := errors.Join(errs[:]...); err != nil {
		s.t.Error(err)
	}
	for i := range errs {
		s.env["HOME"] = s.dir(fmt.Sprint("home", i))
		if out, err := s.get(host); err != nil {
			s.t.Errorf("vault %d: %v: %s", i, err, out)
		}
	}
}

// A login session, a session keyring of one's own and a user namespace (as
// rootless Podman makes) see different kernel keyrings. Each keeps its entries
// and leaves the others' alone.
func TestSessionsKeepTheirOwn(t *testing.T) {
	need(t, "unshare", "keyctl")
	s := newStage(t)
	s.signIn(clientSecret)
	s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "kernel"
	plain := s.asPlainUser()
	session := s.asPlainUser("keyctl", "session", "-")
	twice := fmt.Sprintf(`printf %s | "$0" "$1" && printf %[1]s | "$0" "$1"`, host)
	namespace := s.asPlainUser("unshare", "-U", "-r", "sh", "-c", twice)
	const rounds = 3
	for range rounds {
		for _, run := range []func(string) (string, error){plain, namespace, session} {
			out, err := run(host)
			if err != nil && strings.Contains(out, "unshare") {
				missing(t, "plain users may not make user namespaces here: "+out)
			}
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	}
	// one for the user, whatever the session, and one for each namespace
	s.exchanges(1 + rounds)
	if found := s.vaultFiles("kernel-*"); len(found) != 1+rounds {
		t.Errorf("compartments are %q", found)
	}
}

// Whatever state the keyring is in, a get that a fresh exchange could answer is
// answered, soon, in silence, and without anybody being asked to unlock it.
func TestKeyringsThatDoNotAnswer(t *testing.T) {
	for _, row := range []struct {
		state  string
		arrive func(*testing.T, *stage)
	}{
		{"stopped", func(t *testing.T, s *stage) {
			d := s.startDesktop()
			d.keyring.Process.Signal(syscall.SIGSTOP)
			t.Cleanup(func() { d.keyring.Process.Signal(syscall.SIGCONT) })
		}},
		{"dying while it is asked", func(_ *testing.T, s *stage) {
			daemon := s.startDesktop().keyring.Process
			daemon.Signal(syscall.SIGSTOP)
			time.AfterFunc(300*time.Millisecond, func() { daemon.Kill() })
		}},
		{"locked", func(_ *testing.T, s *stage) { s.startDesktop().startKeyring("") }},
		{"gone", func(_ *testing.T, s *stage) { s.startDesktop().stopKeyring() }},
		{"mute", func(t *testing.T, s *stage) { s.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + muteBus(t, s) }},
		{"without a bus", func(_ *testing.T, s *stage) {}},
		{"a dead address", func(_ *testing.T, s *stage) { s.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent/bus" }},
	} {
		t.Run(row.state, func(t *testing.T) {
			need(t, "dbus-run-session", "gnome-keyring-daemon")
			s := newStage(t)
			s.signIn(clientSecret)
			s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "os"
			row.arrive(t, s)
			began := time.Now()
			out, err := s.get(host)
			if took := time.Since(began); took > keyringLimit {
				t.Errorf("a get took %v", took)
			}
			if err != nil || !strings.HasPrefix(out, "{") {
				t.Errorf("%v: %s", err, out)
			}
			s.exchanges(1)
			out, err = s.exec(fmt.Sprintf(`{"ServerURL":%q,"Username":"contoso","Secret":%q}`, host, adminPassword), program, "store")
			if err == nil || !strings.Contains(out, "storing the login of \"contoso\": there is no keyring to seal a secret with") {
				t.Errorf("a store that nobody can seal: %v: %s", err, out)
			}
		})
	}
}

// muteBus is a socket that accepts and never answers.
func muteBus(t *testing.T, s *stage) string {
	t.Helper()
	path := filepath.Join(s.work, "mute")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
		}
	}()
	return path
}

// get runs the program as a client would. Its answer is not among what clients
// say, which must hold no secret.
func (s *stage) get(server string) (string, error) { return s.run(nil, server) }

// tenRegistries makes ten registries that the service principal may pull from.
func (s *stage) tenRegistries() (hosts []string) {
	for i := range 10 {
		name := fmt.Sprintf("contoso%d.azurecr.io", i)
		s.cloud.AddRegistry(name, s.tenant).Grant(s.app, azuretest.AcrPull)
		hosts = append(hosts, name)
	}
	return hosts
}

// asPlainUser returns a get that a user without privileges runs, through a
// command if there is one. The vault is that user's from then on.
func (s *stage) asPlainUser(through ...string) func(server string) (string, error) {
	s.t.Helper()
	if os.Getuid() != 0 {
		return func(server string) (string, error) { return s.run(nil, server, through...) }
	}
	vault := s.dir("plain")
	s.env["DOCKER_CREDENTIAL_ACR_HOME"] = vault
	err := errors.Join(os.Chmod(bin, 0o755), os.Chmod(s.work, 0o755), os.Chmod(vault, 0o700), os.Chown(vault, plainUser, plainUser), os.Chmod(filepath.Join(s.work, "ca.pem"), 0o644))
	if err != nil {
		s.t.Fatal(err)
	}
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: plainUser, Gid: plainUser}}
	return func(server string) (string, error) { return s.run(nobody, server, through...) }
}

// run runs a get, through a command if there is one.
func (s *stage) run(as *syscall.SysProcAttr, server string, through ...string) (string, error) {
	args := append(append([]string{}, through...), filepath.Join(bin, program), "get")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdin, cmd.SysProcAttr = s.environ(), "/", strings.NewReader(server), as
	out, err := cmd.CombinedOutput()
	return string(out), err
}
