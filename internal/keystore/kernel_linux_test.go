package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/zalando/go-keyring"
	"golang.org/x/sys/unix"
)

// performExternal does to a keyring what other programs or an older kernel do, and so does not use the Store.
func performExternal(store *Store, r request) ([]byte, error) {
	runtime.LockOSThread() // whose process keyring has the links
	ctx, own := context.Background(), kernelKeyring{r.Label}
	switch r.Do {
	case "clean up":
		return nil, own.Delete(ctx)
	case "create twice": // without a lock, and without looking for a key
		first := newKey()
		return first, errors.Join(own.Create(ctx, first), own.Create(ctx, newKey()))
	case "create with full quota":
		for i := range 300 { // a user may have 200 keys
			_, err := unix.AddKey("user", fmt.Sprint(r.Label, i), []byte{1}, unix.KEY_SPEC_PROCESS_KEYRING)
			if err != nil {
				break
			}
		}
		return store.Create(ctx, Kernel, uncontended)
	case "go-keyring get":
		_, err := keyring.Get(serviceName, userName)
		return nil, err
	case "go-keyring set":
		return nil, keyring.Set(serviceName, userName, otherValue)
	}
	to, err := persistentKeyring()
	if r.Do == "add key to user keyring" || errors.Is(err, errNoPersistent) {
		to, err = userKeyring()
	}
	if err != nil {
		return nil, err
	}
	switch r.Do {
	case "add key to user keyring":
		key := bytes.Repeat([]byte{1}, KeySize)
		_, err = unix.AddKey("user", r.Label, key, to)
		return key, err
	case "add other value":
		_, err = unix.AddKey("user", r.Label, []byte(otherValue), to)
		return nil, err
	case "revoke", "expire":
		id, err := unix.KeyctlSearch(to, "user", r.Label, 0)
		if err == nil && r.Do == "revoke" {
			_, err = unix.KeyctlInt(unix.KEYCTL_REVOKE, id, 0, 0, 0)
		} else if err == nil {
			_, err = unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, id, 1, 0, 0)
			time.Sleep(1100 * time.Millisecond)
		}
		return nil, err
	}
	return nil, fmt.Errorf("unknown request %q", r.Do)
}

// startKernel returns a child that runs as a plain user, who has other quotas and permissions than root.
func startKernel(t *testing.T) child {
	t.Helper()
	c := child{binary: copyTestBinary(t), adapt: runAs(65534), keys: map[string]string{}}
	if resp := c.run(t, kernelRequest(t, "key")); resp.Kind == "unavailable" {
		skipIncapable(t, resp.Err) // as in a container, whose seccomp profile forbids keyctl
	}
	t.Cleanup(func() { c.run(t, kernelRequest(t, "clean up")) })
	return c
}

// kernelRequest returns a request whose key is only this test's.
func kernelRequest(t *testing.T, do string) request {
	return request{Do: do, Choice: "kernel", Label: fmt.Sprint("docker-credential-acr:", t.Name(), os.Getpid())}
}

// copyTestBinary copies the test binary so that any user can run it; that of go test is closed to other users.
func copyTestBinary(t *testing.T) (binary string) {
	t.Helper()
	dir := t.TempDir()
	binary = filepath.Join(dir, "child")
	content := must(os.ReadFile(must(os.Executable())))
	// A child of another test that begins now would have the open file until it runs its own program, and a file that is
	// open for writing can't be run (golang.org/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o755),
		os.WriteFile(binary, content, 0o755)); err != nil {
		t.Fatal(err)
	}
	return binary
}

// runAs lets root run children as another user.
func runAs(uid uint32) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		}
	}
}

func TestKernel_Create(t *testing.T) {
	t.Parallel() // it mostly waits
	for name, steps := range map[string][]string{
		"makes a key":                       {"key:not found", "create:A", "key:A", "create:A", "concurrent keys:A"},
		"keeps the key of the user keyring": {"add key to user keyring:A", "key:A", "create:A", "key:A"},
		"replaces a revoked key":            {"create:A", "revoke", "key:not found", "create:B", "key:B"},
		"replaces an expired key":           {"create:A", "expire", "key:not found", "create:B", "key:B"},
		"keeps another value":               {"add other value", "key:not a key", "create:not a key", "key:not a key"},
		"keeps the first of two keys":       {"create twice:A", "key:A"},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && slices.Contains(steps, "expire") {
				t.Skip("takes 1 s")
			}
			startKernel(t).steps(t, kernelRequest(t, ""), steps...)
		})
	}
}

// TestKernel_Key_in_other_session has more threads than one, each of which has to possess the key. (For sessions and user
// namespaces of the program itself see TestKernelKeyring_of_namespaces in test/e2e.)
func TestKernel_Key_in_other_session(t *testing.T) {
	requireTools(t, "keyctl")
	c := startKernel(t)
	c.steps(t, kernelRequest(t, ""), "create:A")
	c.prefix = []string{"keyctl", "session", "-"}
	c.steps(t, kernelRequest(t, ""), "key:A", "create:A", "concurrent keys:A")
}

func TestKernel_Create_with_full_quota(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("it would fill the user's own quota, which disturbs other programs; root fills another user's")
	}
	c := startKernel(t)
	c.adapt = runAs(65531)
	resp := c.run(t, kernelRequest(t, "create with full quota"))
	if resp.Kind != "unavailable" || !strings.Contains(resp.Err, "quota") {
		t.Errorf("%+v", resp)
	}
}

func TestKernel_Delete(t *testing.T) {
	startKernel(t).steps(t, kernelRequest(t, ""), "create:A", "delete", "delete:not found", "key:not found",
		"add key to user keyring:B", "delete", "delete:not found", "key:not found")
}
