package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// asOrdinaryUser makes the fixture's commands those of a user without privileges and without an OS keyring, who may use
// rootless Podman. Root makes such a user up, in a mount namespace where the system's files name them.
func (f *fixture) asOrdinaryUser() {
	f.t.Helper()
	requireTools(f.t, "podman", "newuidmap", "unshare", "setpriv")
	delete(f.env, "DOCKER_CREDENTIAL_ACR_KEYRING")
	f.env["USER"] = "ada"
	if os.Getuid() == 0 {
		f.makeUser()
	}
	f.t.Cleanup(func() { // layers have other numbers of the user, and the pause process goes on
		_, _ = f.exec("", "podman", "unshare", "rm", "-rf", f.home+"/.local/share/containers")
		f.endNamespace()
	})
	if out, err := f.exec("", "podman", "unshare", "true"); err != nil {
		skipOrFail(f.t, "rootless podman does not work here: "+out)
	}
}

// rootless is Podman with the user's own storage and user namespace, which one process keeps.
func rootless() client {
	c := clientNamed("podman")
	const podman = "podman --storage-driver=vfs --events-backend=none"
	for _, lines := range []*string{&c.login, &c.logout, &c.push, &c.pull} {
		*lines = strings.NewReplacer("podman {podman}", podman, "{authfile} ", "").Replace(*lines)
	}
	return c
}

// endNamespace ends Podman's user namespace, as podman system migrate and a restart do.
func (f *fixture) endNamespace() {
	f.t.Helper()
	content, err := os.ReadFile(filepath.Join(f.env["XDG_RUNTIME_DIR"], "libpod", "tmp", "pause.pid"))
	if err != nil {
		f.t.Errorf("Podman keeps no user namespace: %v", err)
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// firstSubUID is the first of the numbers that the user may use in a user namespace.
const firstSubUID = 700000

// makeUser makes the user and gives them the fixture's files.
func (f *fixture) makeUser() {
	f.t.Helper()
	line := fmt.Sprintf("ada:x:%d:%[1]d::%s:/bin/sh\n", testUser, f.home)
	numbers := f.write(filepath.Join(f.work, "subuid"), fmt.Sprintf("ada:%d:65536\n", firstSubUID))
	script := "#!/bin/sh\nexec unshare -m sh -ec 'mount --make-rprivate /\n"
	for _, name := range []string{"passwd", "group"} {
		content, err := os.ReadFile("/etc/" + name)
		if err != nil {
			f.t.Fatal(err)
		}
		path := f.write(filepath.Join(f.work, name), string(content)+line)
		script += "mount --bind " + path + " /etc/" + name + "\n"
	}
	for _, name := range []string{"subuid", "subgid"} {
		if !exists("/etc/" + name) {
			skipOrFail(f.t, "/etc/"+name+" is missing")
		}
		script += "mount --bind " + numbers + " /etc/" + name + "\n"
	}
	script += fmt.Sprintf("exec setpriv --reuid %d --regid %[1]d --clear-groups \"$@\"' sh \"$@\"\n", testUser)
	path := f.write(filepath.Join(bin, filepath.Base(f.work)+"-as-user"), script)
	f.t.Cleanup(func() { os.Remove(path) })
	for _, public := range []string{path, bin} {
		if err := os.Chmod(public, 0o755); err != nil {
			f.t.Fatal(err)
		}
	}
	f.as = []string{path}
	f.giveAway(f.home, f.work)
	for _, above := range []string{f.home, filepath.Dir(f.home)} { // of the test's temporary directories
		if err := os.Chmod(above, 0o755); err != nil {
			f.t.Fatal(err)
		}
	}
}

// giveAway gives directories and everything in them to the user.
func (f *fixture) giveAway(dirs ...string) {
	f.t.Helper()
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err == nil && f.as != nil {
				err = os.Lchown(path, testUser, testUser)
			}
			return err
		})
		if err != nil {
			f.t.Fatal(err)
		}
	}
	for _, name := range []string{"passwd", "group", "subuid"} { // for sudo's like, which want them to be readable
		_ = os.Chmod(filepath.Join(f.work, name), 0o644)
	}
}

// signIn runs a command that signs a user in with a device code.
func (f *fixture) signIn(args ...string) (string, error) {
	ada := f.tenant.AddUser("ada@contoso.com")
	f.registry.Grant(ada, azuretest.AcrPush)
	f.cloud.PollInterval(time.Second)
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			for _, code := range f.cloud.DeviceCodes() {
				_ = f.cloud.EnterCode(code, ada, azuretest.SignIn)
			}
			select {
			case <-done:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return f.exec("", append([]string{program}, args...)...)
}

// TestRootlessPodman is the README's start with Podman, of a user without an OS keyring: pull, push, login and logout
// work, and go on working when Podman's user namespace, and with it its kernel keyring, is gone.
func TestRootlessPodman(t *testing.T) {
	f, podman := newFixture(t), rootless()
	f.asOrdinaryUser()
	f.helper("configure", host, "--client", "podman")
	out, err := f.signIn("login", host, "--device-code", "--client-id", "azure-cli")
	const advice = "--keyring file (Podman without root can read it), or --keyring kernel (Podman without root can't read it)"
	if err == nil || !strings.Contains(out, advice) {
		t.Fatalf("login doesn't say that Podman can't read the kernel keyring: %v\n%s", err, out)
	}
	if out, err = f.signIn("login", host, "--device-code", "--client-id", "azure-cli", "--keyring", "file"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.giveAway() // what the fixture has made meanwhile
	for range 2 {
		f.pull(podman, app)
		f.push(podman)
		f.helper("status", host, "--check")
		f.helper("doctor", host)
		f.endNamespace()
		f.must("podman system migrate", "", "", "")
	}
	f.expectKeys("file", 1)

	// Podman's own login uses the helper only if it is for all registries.
	f.helper("configure", "--all-registries", "--client", "podman")
	f.must(podman.logout, app, "", "")
	f.expectRefusal(podman, app)
	f.registry.SetAdmin("contoso", adminPassword)
	if printed := f.must(podman.login, app, "contoso", adminPassword); strings.Contains(printed, "lost") {
		t.Errorf("podman login warns although the login is kept:\n%s", printed)
	}
	f.must("podman system migrate", "", "", "")
	f.pull(podman, app)
	f.expectListed("contoso")
	f.expectKeys("file", 1)
}

// TestRootlessPodman_kernel_keyring: what was stored with the kernel keyring can't be used in Podman's user namespace.
// Podman, status --check and doctor say so, and what they advise helps.
func TestRootlessPodman_kernel_keyring(t *testing.T) {
	f, podman := newFixture(t), rootless()
	f.asOrdinaryUser()
	f.t.Cleanup(func() { _, _ = f.exec("", program, "logout", "--all") }) // the user's kernel keyring outlives the test
	f.helper("configure", host, "--client", "podman")
	out, err := f.signIn("login", host, "--device-code", "--client-id", "azure-cli", "--keyring", "kernel")
	if err != nil || !strings.Contains(out, "lost at reboot") {
		t.Fatalf("%v\n%s", err, out)
	}
	const namespace, advice = "user namespace", "docker-credential-acr login " + host + " --keyring file"
	for _, command := range []string{
		program + " status " + host + " --check", program + " doctor " + host, podman.pull,
		podman.logout, "podman unshare " + program + " status " + host + " --check",
	} {
		out, err := f.try(command, app, "", "")
		if err == nil || !strings.Contains(out, namespace) || !strings.Contains(out, advice) {
			t.Errorf("%s: %v, want the user namespace as the reason, and advice\n%s", command, err, out)
		}
	}
	if out, err = f.signIn("login", host, "--keyring", "file"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f.pull(podman, app)
	f.helper("status", host, "--check")
	f.helper("doctor", host)
}

// TestRootlessPodman_login: before the user has chosen a keyring, podman login warns that the login will be lost.
func TestRootlessPodman_login(t *testing.T) {
	f, podman := newFixture(t), rootless()
	f.asOrdinaryUser()
	f.helper("configure", "--all-registries", "--client", "podman")
	f.registry.SetAdmin("contoso", adminPassword)
	printed := f.must(podman.login, app, "contoso", adminPassword)
	if !strings.Contains(printed, "kernel keyring of this user namespace") || !strings.Contains(printed, "--keyring file") {
		t.Errorf("podman login doesn't warn that the login will be lost:\n%s", printed)
	}
	f.pull(podman, app)
}

// TestUserNamespace_trusts_root reads the machine's config file, which is root's, where root has no number.
func TestUserNamespace_trusts_root(t *testing.T) {
	const path = "/etc/docker-credential-acr/config.json"
	if os.Getuid() != 0 || exists(filepath.Dir(path)) {
		skipOrFail(t, "only root can make "+path+", and only where there is none")
	}
	f := newFixture(t)
	f.asOrdinaryUser()
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(filepath.Dir(path)) })
	if err := os.WriteFile(path, []byte(`{"registries":{"contoso.azurecr.io":{"identity":"anonymous"}}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, in := range [][]string{nil, {"podman", "unshare"}, {"unshare", "-Ur"}, {"unshare", "-U"}} {
		out, err := f.exec("", slices.Concat(in, []string{program, "status", host, "--check"})...)
		if err != nil || !strings.Contains(out, "anonymous") {
			t.Errorf("%q: %v\n%s", in, err, out)
		}
	}
	// That of a user who has a number there is not trusted.
	if err := os.Chown(path, firstSubUID+5, -1); err != nil {
		t.Fatal(err)
	}
	for _, in := range [][]string{nil, {"podman", "unshare"}} {
		out, err := f.exec("", slices.Concat(in, []string{program, "status", host, "--check"})...)
		if err == nil || !strings.Contains(out, "belongs to another user") {
			t.Errorf("%q: %v\n%s", in, err, out)
		}
	}
}
