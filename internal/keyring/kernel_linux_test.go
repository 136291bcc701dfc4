package keyring

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	gokeyring "github.com/zalando/go-keyring"
	"golang.org/x/sys/unix"
)

// elsewhere holds what children do to a home from outside of this package's
// code, as other programs or an older kernel would have.
func elsewhere(o order) ([]byte, error) {
	runtime.LockOSThread()
	ring, err := persistentRing()
	if o.Do == "plant in the user ring" || errors.Is(err, errNoRing) {
		ring, err = userRing()
	}
	if err != nil && !strings.HasPrefix(o.Do, "go-keyring") {
		return nil, err
	}
	switch o.Do {
	case "forget":
		userRing()
		for _, ring := range []int{ring, unix.KEY_SPEC_USER_KEYRING} {
			if id, err := unix.KeyctlSearch(ring, "user", o.Label, 0); err == nil || gone(err) {
				unix.KeyctlInt(unix.KEYCTL_UNLINK, id, ring, 0, 0)
			}
		}
		return nil, nil
	case "plant", "plant in the user ring":
		key := bytes.Repeat([]byte{1}, KeySize)
		_, err = unix.AddKey("user", o.Label, key, ring)
		return key, err
	case "plant rubbish":
		_, err = unix.AddKey("user", o.Label, []byte("not a key"), ring)
		return nil, err
	case "revoke", "expire":
		id, err := unix.KeyctlSearch(ring, "user", o.Label, 0)
		if err == nil && o.Do == "revoke" {
			_, err = unix.KeyctlInt(unix.KEYCTL_REVOKE, id, 0, 0, 0)
		} else if err == nil {
			_, err = unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, id, 1, 0, 0)
			time.Sleep(1100 * time.Millisecond)
		}
		return nil, err
	case "write twice": // no lock, no look: what is left then is the first
		k := kernelHome{o.Label}
		first := newKey()
		return first, errors.Join(k.write(context.Background(), first), k.write(context.Background(), newKey()))
	case "fill the quota":
		for i := range 300 { // 200 keys are the limit of a plain user
			if _, err := unix.AddKey("user", fmt.Sprint(o.Label, i), []byte{1}, unix.KEY_SPEC_PROCESS_KEYRING); err != nil {
				break
			}
		}
		_, err := kernelHome{o.Label}.read(context.Background())
		if !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		return nil, kernelHome{o.Label}.write(context.Background(), newKey())
	case "go-keyring":
		_, err := gokeyring.Get(serviceName, userName)
		return nil, err
	case "go-keyring rubbish":
		return nil, gokeyring.Set(serviceName, userName, "rubbish")
	}
	return nil, fmt.Errorf("unknown order %q", o.Do)
}

// plain starts children as a plain user, who has other quotas and rights than
// root, and gives an order whose key is this test's own.
func plain(t *testing.T) (child, order) {
	t.Helper()
	binary, dir := self(t)
	c := child{binary: binary, adapt: asPlainUser}
	o := order{Choice: "kernel", Label: "docker-credential-acr:" + t.Name() + fmt.Sprint(os.Getpid()), Lock: filepath.Join(dir, "lock")}
	o.Do = "key"
	if rep := c.run(t, o); rep.Kind == "unavailable" {
		missing(t, rep.Err) // as in a container, whose seccomp profile forbids keyctl
	}
	t.Cleanup(func() { c.run(t, o.to("forget")) })
	return c, o
}

func (o order) to(do string) order {
	o.Do = do
	return o
}

func asPlainUser(cmd *exec.Cmd) {
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
}

func TestKernelKeepsTheKeyAcrossSessions(t *testing.T) {
	need(t, "keyctl")
	c, o := plain(t)
	if rep := c.run(t, o.to("key")); rep.Kind != "not found" {
		t.Fatalf("before: %+v", rep)
	}
	made := c.run(t, o.to("make"))
	if made.Err != "" || len(made.Key) != 2*KeySize {
		t.Fatalf("make: %+v", made)
	}
	session := c
	session.under = []string{"keyctl", "session", "-"}
	for name, c := range map[string]child{"same session": c, "fresh session": session} {
		for _, do := range []string{"key", "make", "crowd"} {
			if rep := c.run(t, o.to(do)); rep.Key != made.Key {
				t.Errorf("%s, %s: another key: %s", name, do, rep.Err)
			}
		}
	}
}

func TestKernelKeyIsDestroyedInEitherRing(t *testing.T) {
	c, o := plain(t)
	for _, made := range []string{"make", "plant in the user ring"} {
		if rep := c.run(t, o.to(made)); rep.Err != "" {
			t.Fatal(rep.Err)
		}
		for _, kind := range []string{"", "not found"} {
			if rep := c.run(t, o.to("delete")); rep.Kind != kind {
				t.Errorf("%s, delete: %s, want %q", made, rep.Err, kind)
			}
		}
		if rep := c.run(t, o.to("key")); rep.Kind != "not found" {
			t.Errorf("%s: the key is still there: %s", made, rep.Err)
		}
	}
}

// The rings of a user namespace are its own: rootless Podman has another key
// there, and neither disturbs the other.
func TestKernelBesideAUserNamespace(t *testing.T) {
	need(t, "unshare", "sh")
	c, o := plain(t)
	inside := c
	inside.under = []string{"unshare", "-U", "-r"}
	if _, err := inside.try(o); err != nil {
		missing(t, "no user namespaces for plain users: "+err.Error())
	}
	made := c.run(t, o.to("make"))
	if rep := inside.run(t, o.to("key")); rep.Kind != "not found" {
		t.Errorf("inside, before: %+v", rep)
	}
	other := inside.run(t, o.to("make"))
	if other.Err != "" || other.Key == made.Key || len(other.Key) != 2*KeySize {
		t.Errorf("inside: own key %t, error %s", other.Key != made.Key, other.Err)
	}
	if rep := c.run(t, o.to("key")); rep.Key != made.Key {
		t.Errorf("outside, afterwards: %s", rep.Err)
	}
}

func TestKernelKeepsAnOldKeyOfTheUserRing(t *testing.T) {
	c, o := plain(t)
	old := c.run(t, o.to("plant in the user ring"))
	if old.Err != "" {
		t.Fatal(old.Err)
	}
	for _, do := range []string{"key", "make", "key"} {
		if rep := c.run(t, o.to(do)); rep.Key != old.Key {
			t.Errorf("%s: another key: %s", do, rep.Err)
		}
	}
}

func TestKernelTakesADeadKeyForNone(t *testing.T) {
	c, o := plain(t)
	for _, how := range []string{"revoke", "expire"} {
		old := c.run(t, o.to("make"))
		if rep := c.run(t, o.to(how)); rep.Err != "" {
			t.Fatal(rep.Err)
		}
		if rep := c.run(t, o.to("key")); rep.Kind != "not found" {
			t.Errorf("%s: %+v", how, rep)
		}
		made := c.run(t, o.to("make"))
		if made.Err != "" || made.Key == old.Key {
			t.Errorf("%s: make: %s", how, made.Err)
		}
		if rep := c.run(t, o.to("key")); rep.Key != made.Key {
			t.Errorf("%s: afterwards: %s", how, rep.Err)
		}
	}
}

func TestKernelRefusesWhatIsNoKey(t *testing.T) {
	c, o := plain(t)
	if rep := c.run(t, o.to("plant rubbish")); rep.Err != "" {
		t.Fatal(rep.Err)
	}
	for _, do := range []string{"key", "make", "key"} {
		rep := c.run(t, o.to(do))
		if rep.Kind != "unavailable" || strings.Contains(rep.Err, "not a key") {
			t.Errorf("%s: %+v", do, rep)
		}
	}
}

func TestKernelWriteYieldsToTheFirst(t *testing.T) {
	c, o := plain(t)
	first := c.run(t, o.to("write twice"))
	if first.Err != "" {
		t.Fatal(first.Err)
	}
	if rep := c.run(t, o.to("key")); rep.Key != first.Key {
		t.Errorf("the first key did not stay: %s", rep.Err)
	}
}

func TestKernelWithoutQuota(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("filling one's own quota disturbs others; as root another user's is filled")
	}
	c, o := plain(t)
	c.adapt = func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65531, Gid: 65531}}
	}
	rep := c.run(t, o.to("fill the quota"))
	if rep.Kind != "unavailable" || !strings.Contains(rep.Err, "quota") {
		t.Errorf("%+v", rep)
	}
}

func TestFiftyProcessesMakeOneKernelKey(t *testing.T) {
	c, o := plain(t)
	key := c.fifty(t, o.to("get"))
	if _, err := hex.DecodeString(key); err != nil {
		t.Error(err)
	}
}
