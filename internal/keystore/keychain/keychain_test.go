//go:build unix

package keychain

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// TestMain makes the test binary security if it runs under that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "security" {
		os.Exit(fakeSecurity(filepath.Dir(os.Args[0]), os.Args[1:]))
	}
	os.Exit(m.Run())
}

// What the fake keychain is, in the file state beside the fake program.
const (
	open     = "open"
	dialog   = "dialog"    // locked in a desktop session: security waits for the user
	ssh      = "ssh"       // locked where no user can be asked
	refused  = "refused"   // the user has clicked Cancel
	readOnly = "read-only" // of a service: there is no keychain, but reading only finds nothing
)

// fakeSecurity answers as Apple's program (SecurityTool-60158: keychain_find.c, keychain_add.c, security.c): the low byte of
// the error's number is its exit status, the value goes to standard output, and everything else to standard error, in the
// user's language. With -i it ends as its last command.
func fakeSecurity(dir string, args []string) int {
	record(dir, args)
	if len(args) == 1 && args[0] == "-i" {
		status, lines := 0, bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			status = command(dir, strings.Fields(lines.Text()))
		}
		return status
	}
	return command(dir, args)
}

func record(dir string, args []string) {
	f, err := os.OpenFile(filepath.Join(dir, "runs"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(f, "%d %s; %s\n", os.Getpid(), strings.Join(args, " "), strings.Join(os.Environ(), " "))
	f.Close()
}

func command(dir string, args []string) int {
	option := func(name string) string {
		if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
			return args[i+1]
		}
		return ""
	}
	item := filepath.Join(dir, option("-s")+"."+option("-a"))
	value, err := os.ReadFile(item)
	fmt.Fprintln(os.Stderr, "security: Warnung: etwas ist veraltet")
	state := getState(dir)
	exists := err == nil
	needsKey := args[0] == "add-generic-password" || exists // only attributes are found without
	for state == dialog && needsKey {
		time.Sleep(time.Millisecond)
		state = getState(dir)
	}
	switch {
	case state == ssh && needsKey:
		return 36
	case state == refused && needsKey:
		return 128
	case args[0] == "add-generic-password" && state == readOnly:
		return 50 // errSecNoSuchKeychain
	case args[0] == "add-generic-password" && exists:
		return 45
	case args[0] == "add-generic-password":
		if err := os.WriteFile(item, []byte(option("-w")), 0o600); err != nil {
			panic(err)
		}
		return 0
	case !exists:
		fmt.Fprintln(os.Stderr, "security: SecKeychainSearchCopyNext: Das angegebene Objekt wurde nicht gefunden.")
		return 44
	case args[0] == "delete-generic-password":
		_ = os.Remove(item)
		return 0
	}
	fmt.Println(string(value))
	return 0
}

func getState(dir string) string {
	state, _ := os.ReadFile(filepath.Join(dir, "state"))
	return string(state)
}

// A fixture is a fake keychain.
type fixture struct {
	*testing.T
	dir string
	now time.Time
}

func newFixture(t *testing.T, state string) *fixture {
	t.Helper()
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t, t.TempDir(), time.Now()}
	if err := os.Symlink(own, filepath.Join(f.dir, "security")); err != nil {
		t.Fatal(err)
	}
	f.become(state)
	return f
}

func (f *fixture) become(state string) {
	f.Helper()
	path := filepath.Join(f.dir, "state")
	if err := errors.Join(os.WriteFile(path+".new", []byte(state), 0o600), os.Rename(path+".new", path)); err != nil {
		f.Fatal(err)
	}
}

// keychain returns that of a new process.
func (f *fixture) keychain() *Keychain {
	return &Keychain{
		Program: filepath.Join(f.dir, "security"), Service: "acr", Account: "key",
		Getenv: func(name string) string {
			return map[string]string{"HOME": f.dir, "AZURE_CLIENT_SECRET": "c4n4ry"}[name]
		},
		Marker: filepath.Join(f.dir, "private", "locked"), Now: func() time.Time { return f.now },
	}
}

// runs returns what is recorded of security, one run a line.
func (f *fixture) runs() []string {
	content, _ := os.ReadFile(filepath.Join(f.dir, "runs"))
	return strings.Split(strings.TrimSpace(string(content)), "\n")
}

// shortly is a context that ends when security has waited for a user in that many runs.
func (f *fixture) shortly(runs int) context.Context {
	ctx, cancel := context.WithCancel(f.Context())
	f.Cleanup(cancel)
	go func() {
		for ctx.Err() == nil && len(f.runs()) < runs {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	return ctx
}

func TestKeychain(t *testing.T) {
	f := newFixture(t, open)
	k := f.keychain()
	expect := func(want string) {
		t.Helper()
		value, found, err := k.Get(t.Context())
		if value != want || found != (want != "") || err != nil {
			t.Errorf("%q, %t, %v; want %q", value, found, err, want)
		}
	}
	expect("")
	if err := errors.Join(k.Set(t.Context(), "Zmlyc3Q+/w=="), k.Set(t.Context(), "c2Vjb25k")); err != nil {
		t.Error(err)
	}
	expect("Zmlyc3Q+/w==")
	if err := errors.Join(k.Delete(t.Context()), k.Delete(t.Context())); err != nil {
		t.Error(err)
	}
	expect("")
	all := strings.Join(f.runs(), "\n")
	if strings.Contains(all, "Zmlyc") || strings.Contains(all, "c4n4ry") || !strings.Contains(all, "HOME="+f.dir) {
		t.Errorf("other users could read a secret, or the home is missing:\n%s", all)
	}
}

// TestKeychain_locked_without_desktop is fast, and other processes, which may have a desktop, ask for themselves.
func TestKeychain_locked_without_desktop(t *testing.T) {
	f := newFixture(t, open)
	if err := f.keychain().Set(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	f.become(ssh)
	for range 2 {
		_, _, err := f.keychain().Get(t.Context())
		if !fault.Is(err, fault.KeyringLocked) || !fault.Has(err, fault.KeychainLocked) {
			t.Error(err)
		}
	}
	if len(f.runs()) != 3 {
		t.Errorf("runs: %q", f.runs())
	}
}

// TestKeychain_locked_with_dialog leaves no process behind, and no other process shows a dialog for a while.
func TestKeychain_locked_with_dialog(t *testing.T) {
	for _, state := range []string{dialog, refused} {
		f := newFixture(t, open)
		if err := f.keychain().Set(t.Context(), "x"); err != nil {
			t.Fatal(err)
		}
		f.become(state)
		ask := func(k *Keychain, runs int) {
			t.Helper()
			ctx := t.Context()
			if state == dialog {
				ctx = f.shortly(max(runs, len(f.runs())+1))
			}
			_, _, err := k.Get(ctx)
			if !fault.Is(err, fault.KeyringLocked) || fault.Has(err, fault.KeychainLocked) || len(f.runs()) != runs {
				t.Errorf("%s: %v; runs: %q", state, err, f.runs())
			}
		}
		k := f.keychain()
		ask(k, 2)
		pid, err := strconv.Atoi(strings.Fields(f.runs()[1])[0])
		if err != nil || syscall.Kill(pid, 0) != syscall.ESRCH {
			t.Errorf("security is still there: %d, %v", pid, err)
		}
		ask(k, 2)
		ask(f.keychain(), 2)
		f.now = f.now.Add(29 * time.Second)
		ask(f.keychain(), 2)
		f.now = f.now.Add(2 * time.Second)
		ask(f.keychain(), 3)
		f.now = f.now.Add(-time.Hour) // the clock was wrong
		ask(f.keychain(), 4)
	}
}

// TestKeychain_without_place_for_marker asks once in a process.
func TestKeychain_without_place_for_marker(t *testing.T) {
	f := newFixture(t, open)
	k := f.keychain()
	if err := k.Set(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	k.Marker = ""
	f.become(dialog)
	for range 3 {
		if _, _, err := k.Get(f.shortly(2)); !fault.Is(err, fault.KeyringLocked) {
			t.Error(err)
		}
	}
	if len(f.runs()) != 2 {
		t.Errorf("runs: %q", f.runs())
	}
}

// TestKeychain_Unlock waits for the user, also right after a dialog that was not answered.
func TestKeychain_Unlock(t *testing.T) {
	f := newFixture(t, open)
	if err := f.keychain().Set(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	f.become(dialog)
	if _, _, err := f.keychain().Get(f.shortly(2)); !fault.Is(err, fault.KeyringLocked) {
		t.Fatal(err)
	}
	if err := f.keychain().Unlock(t.Context(), func() { f.become(open) }); err != nil {
		t.Error(err)
	}
	if value, _, err := f.keychain().Get(t.Context()); value != "x" {
		t.Error(value, err)
	}
	f.become(ssh)
	if err := f.keychain().Unlock(t.Context(), func() {}); !fault.Has(err, fault.KeychainLocked) {
		t.Error(err)
	}
}

// TestKeychain_TryWrite tells what reading doesn't.
func TestKeychain_TryWrite(t *testing.T) {
	f := newFixture(t, readOnly)
	k := f.keychain()
	if _, found, err := k.Get(t.Context()); found || err != nil {
		t.Error(found, err)
	}
	if err := k.TryWrite(t.Context()); err == nil || err.Error() != "security failed: exit status 50" {
		t.Error(err)
	}
	f.become(open)
	if err := errors.Join(k.TryWrite(t.Context()), k.TryWrite(t.Context())); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(f.dir, "acr.*")); left != nil {
		t.Errorf("left behind: %q", left)
	}
}
