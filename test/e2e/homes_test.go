package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestHome_of_another_user is root with a user's HOME (sudo -E): nothing is made there. Root's own home is used, and
// where the directory of another user is demanded, nothing is stored.
func TestHome_of_another_user(t *testing.T) {
	if os.Getuid() != 0 {
		skipOrFail(t, "only root can be in another user's home")
	}
	requireTools(t, "unshare")
	f := newFixture(t)
	root := f.dir("root")
	f.makeUser()
	// Root stays root, whose home is one of the test's.
	passwd := f.write(filepath.Join(f.work, "passwd"), "root:x:0:0::"+root+":/bin/sh\n")
	f.as = []string{"unshare", "-m", "sh", "-ec", "mount --make-rprivate /; mount --bind " + passwd + ` /etc/passwd; exec "$@"`, "sh"}
	if err := os.Chown(root, 0, 0); err != nil {
		t.Fatal(err)
	}
	f.useServicePrincipal(clientSecret)
	f.registry.SetAdmin("contoso", adminPassword)

	f.mustGet()
	f.expectMade(root, "/.local/share/"+program+"/vault/file-*/*.token")
	out, _ := f.exec("", program, "doctor")
	if want := "), which belongs to another user"; !strings.Contains(out, want) {
		t.Errorf("doctor doesn't say %q:\n%s", want, out)
	}
	f.env["DOCKER_CREDENTIAL_ACR_HOME"] = filepath.Join(f.home, "acr")
	f.mustGet()
	out, err := f.exec(adminLogin, program, "store")
	if want := f.home + " belongs to user 64999: this program creates nothing there"; err == nil || !strings.Contains(out, want) {
		t.Errorf("store: %v, want %q:\n%s", err, want, out)
	}
	out, _ = f.exec("", program, "doctor")
	if want := "logins and tokens can't be stored, and every get signs in: "; !strings.Contains(out, want) {
		t.Errorf("doctor doesn't say %q:\n%s", want, out)
	}
	for _, made := range []string{".local", "acr"} {
		if exists(filepath.Join(f.home, made)) {
			t.Errorf("root has made %s in another user's home", made)
		}
	}
}

// TestHome_with_directories_of_root: root has made ~/.local, so the user can't use it, and is told how to get it back.
func TestHome_with_directories_of_root(t *testing.T) {
	if os.Getuid() != 0 {
		skipOrFail(t, "only root can make root's directories")
	}
	requireTools(t, "unshare", "setpriv")
	for _, row := range []struct {
		path string
		mode os.FileMode
	}{
		{".local", 0o700},
		{".local", 0o755},
		{".local/share/" + program, 0o700},
		{".local/share/" + program + "/vault", 0o700},
		{".local/share/" + program + "/vault", 0o755},
	} {
		f := newFixture(t)
		path := filepath.Join(f.home, row.path)
		err := os.MkdirAll(path, 0o755)
		f.makeUser()
		if err = errors.Join(err, os.Chown(path, 0, 0), os.Chmod(path, row.mode)); err != nil {
			t.Fatal(err)
		}
		f.useServicePrincipal(clientSecret)
		f.mustGet()
		out, err := f.exec(adminLogin, program, "store")
		for _, want := range []string{"belongs to root", `Run: sudo chown -R "$(id -un)" ` + path} {
			if err == nil || !strings.Contains(out, want) {
				t.Errorf("%s, mode %o: store: %v, want %q:\n%s", row.path, row.mode, err, want, out)
			}
		}
		out, _ = f.exec("", program, "doctor")
		if !strings.Contains(out, "belongs to root") || !strings.Contains(out, "sudo chown -R") {
			t.Errorf("%s, mode %o: doctor doesn't tell:\n%s", row.path, row.mode, out)
		}
	}
}

func (f *fixture) expectMade(dir, pattern string) {
	f.t.Helper()
	if found, err := filepath.Glob(dir + pattern); err != nil || len(found) == 0 {
		f.t.Errorf("there is no %s%s: %v", dir, pattern, err)
	}
}

// mustGet gets the registry's credential as the fixture's user.
func (f *fixture) mustGet() {
	f.t.Helper()
	if out, err := f.getAs(nil, host, f.as...); err != nil || !strings.HasPrefix(out, "{") {
		f.t.Errorf("get: %v: %s", err, out)
	}
}
