package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestKeyrings_fifty_processes starts fifty processes at once that find a real keyring without a key. They must make
// one key: tokens and logins that are encrypted with a second one would be lost. (test/script/parallel.txtar does the
// same with a key file.)
func TestKeyrings_fifty_processes(t *testing.T) {
	for _, keyring := range []string{"kernel", "os"} {
		t.Run(keyring, func(t *testing.T) {
			retryIfKeyringDies(t, func(f *fixture) {
				f.useServicePrincipal(clientSecret)
				f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = keyring
				var get func(server string) (string, error)
				if keyring == "os" {
					f.startSession()
					get = f.get
				} else {
					get = f.asTestUser()
				}
				hosts := f.addRegistries(10)
				f.getFiftyTimes(get, hosts)
				f.expectKeys(keyring, 1)
				f.getFiftyTimes(get, hosts)
				f.expectRequests(1, 10)
			})
		})
	}
}

// addRegistries adds registries from which the service principal may pull.
func (f *fixture) addRegistries(n int) (hosts []string) {
	for i := range n {
		name := fmt.Sprintf("contoso%d.azurecr.io", i)
		f.cloud.AddRegistry(name, f.tenant).Grant(f.app, azuretest.AcrPull)
		hosts = append(hosts, name)
	}
	return hosts
}

func (f *fixture) getFiftyTimes(get func(server string) (string, error), hosts []string) {
	var all sync.WaitGroup
	for i := range 50 {
		server := hosts[i%len(hosts)]
		all.Go(func() {
			if out, err := get(server); err != nil {
				f.t.Errorf("%s: %v: %s", server, err, out)
			}
		})
	}
	all.Wait()
	f.checkKeyringAlive()
}

// TestSecretService_shared_by_vaults has twelve vaults that store a login at once. Vaults with the same keyring share
// its key, so a second key would make the logins of the first unreadable.
func TestSecretService_shared_by_vaults(t *testing.T) {
	retryIfKeyringDies(t, func(f *fixture) {
		f.startSession()
		f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "os"
		home := func(i int) string { return f.dir(fmt.Sprint("home", i)) }
		var all sync.WaitGroup
		var errs [12]error
		for i := range errs {
			all.Go(func() {
				out, err := f.exec(adminLogin, "env", "HOME="+home(i), filepath.Join(bin, program), "store")
				if err != nil {
					errs[i] = fmt.Errorf("vault %d: %w: %s", i, err, out)
				}
			})
		}
		all.Wait()
		f.checkKeyringAlive() // before its errors are reported
		if err := errors.Join(errs[:]...); err != nil {
			f.t.Error(err)
		}
		for i := range errs {
			f.env["HOME"] = home(i)
			if out, err := f.get(host); err != nil {
				f.t.Errorf("vault %d: %v: %s", i, err, out)
			}
		}
	})
}

// adminLogin is the input of store for the admin user.
var adminLogin = fmt.Sprintf(`{"ServerURL":%q,"Username":"contoso","Secret":%q}`, host, adminPassword)

// TestKernelKeyring_of_namespaces: a login session and a session keyring share the user's kernel keyring. A user
// namespace (as of rootless Podman) has its own; there the program must neither use nor delete the vault's other files.
func TestKernelKeyring_of_namespaces(t *testing.T) {
	requireTools(t, "unshare", "keyctl")
	f := newFixture(t)
	f.useServicePrincipal(clientSecret)
	f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "kernel"
	twice := fmt.Sprintf(`printf %s | "$0" "$1" && printf %[1]s | "$0" "$1"`, host)
	gets := []func(string) (string, error){
		f.asTestUser(),
		f.asTestUser("unshare", "-U", "-r", "sh", "-c", twice),
		f.asTestUser("keyctl", "session", "-"),
	}
	const rounds = 3
	for range rounds {
		for _, get := range gets {
			out, err := get(host)
			if err != nil && strings.Contains(out, "unshare") {
				skipOrFail(t, "users may not make user namespaces: "+out)
			}
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}
	}
	// one for the user, in any session, and one for each namespace
	f.expectExchanges(1 + rounds)
	f.expectKeys("kernel", 1+rounds)
}

// testUser has an ID that no user of the computer has, so its kernel keyrings are empty.
const testUser = 64999

// asTestUser returns a get that a user without privileges runs, as an argument of a command if there is one. From then
// on the vault belongs to that user.
func (f *fixture) asTestUser(command ...string) func(server string) (string, error) {
	f.t.Helper()
	if os.Getuid() != 0 {
		return func(server string) (string, error) { return f.getAs(nil, server, command...) }
	}
	vault := f.dir("test-user")
	f.env["DOCKER_CREDENTIAL_ACR_HOME"] = vault
	err := errors.Join(os.Chmod(bin, 0o755), os.Chmod(f.work, 0o755), os.Chmod(vault, 0o700),
		os.Chown(vault, testUser, testUser), os.Chmod(filepath.Join(f.work, "ca.pem"), 0o644))
	if err != nil {
		f.t.Fatal(err)
	}
	user := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: testUser, Gid: testUser}}
	return func(server string) (string, error) { return f.getAs(user, server, command...) }
}

// keyringTimeout limits how long get may take with a keyring that does not answer.
const keyringTimeout = 3 * time.Second

// TestSecretService_unavailable: get returns a new token soon, without a message and without a prompt, whatever the
// keyring's state. store fails, because it has no key. (internal/keystore tests further states of the bus.)
func TestSecretService_unavailable(t *testing.T) {
	for _, row := range []struct {
		state string
		set   func(*session)
		why   string
	}{
		{"stopped", func(s *session) {
			s.keyring.Process.Signal(syscall.SIGSTOP)
			s.f.t.Cleanup(func() { s.keyring.Process.Signal(syscall.SIGCONT) })
		}, "can't be used: it did not respond within 2s"},
		{"killed during the call", func(s *session) {
			daemon := s.keyring.Process
			daemon.Signal(syscall.SIGSTOP)
			time.AfterFunc(300*time.Millisecond, func() { daemon.Kill() })
		}, "can't be used: "},
		{"locked", func(s *session) { s.startKeyring("") }, "is locked"},
		{"not running", func(s *session) { s.stopKeyring() }, "can't be used: "},
	} {
		t.Run(row.state, func(t *testing.T) {
			f := newFixture(t)
			f.useServicePrincipal(clientSecret)
			f.env["DOCKER_CREDENTIAL_ACR_KEYRING"] = "os"
			row.set(f.startSession())
			start := time.Now()
			out, err := f.get(host)
			if took := time.Since(start); took > keyringTimeout {
				t.Errorf("get took %v", took)
			}
			if err != nil || !strings.HasPrefix(out, "{") {
				t.Errorf("get: %v: %s", err, out)
			}
			f.expectExchanges(1)
			out, err = f.exec(adminLogin, program, "store")
			want := `can't store the login of "contoso": the OS keyring (Secret Service) ` + row.why
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("store: %v: %s", err, out)
			}
		})
	}
}
