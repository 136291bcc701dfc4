package e2e

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// testKeyring is the test of every real keyring. Clients that start at once without a key make one key and sign in
// once. A login is stored and deleted. The vault has files of this keyring only. It returns what login printed.
func testKeyring(t *testing.T, f *fixture, c client, keyring string) (printed string) {
	t.Helper()
	f.useServicePrincipal(clientSecret)
	f.pullInParallel(c)
	f.checkKeyringAlive()
	f.pull(c, app)
	f.expectExchanges(1)
	f.registry.SetAdmin("contoso", adminPassword)
	printed = f.login(c, "contoso", adminPassword)
	f.pull(c, app)
	f.expectListed("contoso")
	f.expectExchanges(1)
	f.expectKeys(keyring, 1)
	f.logout(c.logout)
	f.expectListed(nullGUID) // of the service principal
	return printed
}

// expectKeys fails unless the vault has files of so many keys, all in that keyring. Each key has its own directory.
func (f *fixture) expectKeys(keyring string, n int) {
	f.t.Helper()
	all, matching := f.vaultFiles("*-*"), f.vaultFiles(keyring+"-*")
	if len(all) != n || len(matching) != n {
		f.t.Errorf("the vault has %q, not %d directories for %s", all, n, keyring)
	}
}

// TestKernelKeyring uses the kernel keyring of the user who runs the tests.
func TestKernelKeyring(t *testing.T) {
	before, err := kernelKeys()
	if err != nil {
		skipOrFail(t, "there is no kernel keyring: "+err.Error())
	}
	t.Cleanup(func() { deleteKernelKey(t, before) })
	eachClient(t, func(t *testing.T, f *fixture, c client) {
		if os.Getuid() != 0 && (c.name == "podman" || c.name == "buildah") {
			t.Skip("without root, " + c.name + " runs the helper in a user namespace, which has its own keyrings")
		}
		f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "kernel"
		printed := testKeyring(t, f, c, "kernel")
		want := program + ": warning: this login is stored in the kernel keyring, so it is lost at reboot or after 3 days without use"
		if !strings.Contains(printed, want) {
			t.Errorf("login does not warn that the login will be lost:\n%s", printed)
		}
	})
}

// kernelKeys returns the IDs of the program's key by keyring. It finds the key by its description, as the program does.
func kernelKeys() (map[int]int, error) {
	const description = "docker-credential-acr:vault-key"
	persistent, err := unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, -1, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EINVAL) {
		return nil, err
	}
	keys := map[int]int{}
	for _, keyring := range []int{persistent, unix.KEY_SPEC_USER_KEYRING} {
		if id, err := unix.KeyctlSearch(keyring, "user", description, 0); err == nil && keyring != 0 {
			keys[keyring] = id
		} else if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
			return nil, err
		}
	}
	return keys, nil
}

// deleteKernelKey deletes the key that the tests made. A key that existed before is that of the tester's own vault.
func deleteKernelKey(t *testing.T, before map[int]int) {
	after, err := kernelKeys()
	if err != nil {
		t.Error(err)
	}
	for keyring, id := range after {
		if before[keyring] == id {
			continue
		}
		if _, err := unix.KeyctlInt(unix.KEYCTL_UNLINK, id, keyring, 0, 0); err != nil {
			t.Error(err)
		}
	}
}

// TestSecretService has a D-Bus session with gnome-keyring, which the program finds by itself.
func TestSecretService(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, _ *fixture, c client) {
		retryIfKeyringDies(t, func(f *fixture) {
			f.configure(c.config)
			f.startSession()
			f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "auto"
			if printed := testKeyring(t, f, c, "os"); strings.Contains(printed, "is lost") {
				t.Errorf("login warns although this keyring is permanent:\n%s", printed)
			}
		})
	})
}

// TestSecretService_locked: a stored login can't be used while the keyring is locked, and clients show that. An
// identity in the environment still works, but signs in each time. After the keyring was unlocked, the login works
// again.
func TestSecretService_locked(t *testing.T) {
	t.Parallel()
	requireTools(t, "docker")
	f, docker, crane := newFixture(t), clientNamed("docker"), clientNamed("crane")
	f.configure(dockerConfig)
	s := f.startSession()
	f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "os"
	f.registry.SetAdmin("contoso", adminPassword)
	f.login(crane, "contoso", adminPassword)

	s.startKeyring("")
	for _, c := range []client{docker, crane} {
		const want = "is locked. Run: docker-credential-acr unlock"
		if out := f.expectRefusal(c, app); !strings.Contains(out, want) {
			t.Errorf("%s does not print that the keyring is locked:\n%s", c.name, out)
		}
	}
	f.expectListed("contoso")
	s.startKeyring(keyringPassword)
	f.pull(docker, app)

	f.logout(docker.logout)
	s.startKeyring("")
	f.useServicePrincipal(clientSecret)
	f.pull(docker, app)
	f.pull(crane, app)
	f.expectExchanges(2)
}
