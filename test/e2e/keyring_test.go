package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// keyringStory is what every real keyring must carry: a crowd of clients that
// finds it without a key makes one and signs in once; a login is kept, and
// erased; nothing lies outside the keyring's own compartment of the vault.
func keyringStory(t *testing.T, s *stage, c client, home string) (said string) {
	t.Helper()
	s.signIn(clientSecret)
	s.crowd(c)
	s.mourn()
	s.pull(c, app)
	s.exchanges(1)
	s.registry.SetAdmin("contoso", adminPassword)
	said = s.login(c, "contoso", adminPassword)
	s.pull(c, app)
	s.knows("contoso")
	s.exchanges(1)
	all, own := s.vaultFiles("*-*"), s.vaultFiles(home+"-*")
	if len(all) != 1 || len(own) != 1 {
		t.Errorf("compartments are %q, want one of %s", all, home)
	}
	s.logout(c.logout)
	s.knows("")
	return said
}

// The kernel's keyring is shared by everything that this user runs.
func TestKernelKeyring(t *testing.T) {
	before, err := kernelKeys()
	if err != nil {
		missing(t, "there is no kernel keyring here: "+err.Error())
	}
	t.Cleanup(func() { forgetKernelKey(t, before) })
	eachClient(t, func(t *testing.T, s *stage, c client) {
		if os.Getuid() != 0 && (c.name == "podman" || c.name == "buildah") {
			t.Skip("without root, " + c.name + " runs the helper in a user namespace, which has keyrings of its own")
		}
		s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "kernel"
		said := keyringStory(t, s, c, "kernel")
		if !strings.Contains(said, program+": this login is kept until the next restart") {
			t.Errorf("login does not say how long it is kept:\n%s", said)
		}
	})
}

// kernelKeys are the rings in which the program's key may lie, with its id in
// each that has it. The program knows its key by this description.
func kernelKeys() (map[int]int, error) {
	const description = "docker-credential-acr:vault-key"
	persistent, err := unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, -1, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	keys := map[int]int{}
	for _, ring := range []int{persistent, unix.KEY_SPEC_USER_KEYRING} {
		if id, err := unix.KeyctlSearch(ring, "user", description, 0); err == nil && ring != 0 {
			keys[ring] = id
		} else if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			return nil, err
		}
	}
	return keys, nil
}

// forgetKernelKey removes the key that the tests made. One that was there
// before seals the tester's own vault, and stays.
func forgetKernelKey(t *testing.T, before map[int]int) {
	after, err := kernelKeys()
	if err != nil {
		t.Error(err)
	}
	for ring, id := range after {
		if before[ring] == id {
			continue
		}
		if _, err := unix.KeyctlInt(unix.KEYCTL_UNLINK, id, ring, 0, 0); err != nil {
			t.Error(err)
		}
	}
}

// The Secret Service is found by itself where there is a session bus.
func TestSecretService(t *testing.T) {
	eachClient(t, func(t *testing.T, _ *stage, c client) {
		retryOnDaemonDeath(t, func(s *stage) {
			s.configure(c.config)
			s.startDesktop()
			s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "auto"
			said := keyringStory(t, s, c, "os")
			if strings.Contains(said, "until the next restart") {
				t.Errorf("login warns although the keyring is for good:\n%s", said)
			}
		})
	})
}

// Behind a locked keyring a stored login is out of reach, and said to be; who is
// known by the environment pulls on, at the price of a sign-in each time. Once
// unlocked, the login is there again.
func TestSecretServiceLocked(t *testing.T) {
	t.Parallel()
	need(t, "docker")
	s, docker, crane := newStage(t), clientNamed("docker"), clientNamed("crane")
	s.configure(dockerConfig)
	d := s.startDesktop()
	s.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "os"
	s.registry.SetAdmin("contoso", adminPassword)
	s.login(crane, "contoso", adminPassword)

	d.startKeyring("")
	for _, c := range []client{docker, crane} {
		if out := s.refused(c, app); !strings.Contains(out, "is locked; hint: run: docker-credential-acr unlock") {
			t.Errorf("%s does not say that the keyring is locked:\n%s", c.name, out)
		}
	}
	s.knows("contoso")
	d.startKeyring(keyringPassword)
	s.pull(docker, app)

	s.logout(docker.logout)
	d.startKeyring("")
	s.signIn(clientSecret)
	s.pull(docker, app)
	s.pull(crane, app)
	s.exchanges(2)
}

// processesOf lists who was given this bus, by the environment: daemons that the
// bus starts on demand may outlive it.
func processesOf(bus string) (pids []int) {
	if bus == "" {
		return nil // it would mean every session of the machine
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && bytes.Contains(environ, []byte("DBUS_SESSION_BUS_ADDRESS="+bus)) {
			pids = append(pids, pid)
		}
	}
	return pids
}
