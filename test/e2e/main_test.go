package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/cmd/crane/cmd"
	"github.com/google/go-containerregistry/pkg/logs"
	"github.com/sirupsen/logrus"
)

const program = "docker-credential-acr"

// bin is the first directory of every client's PATH. It holds the program, and
// crane, which is this test binary under another name: crane's commands are a
// library, and linking them once is enough.
var bin string

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "crane" {
		os.Exit(crane())
	}
	if filepath.Base(os.Args[0]) == keeper {
		keep()
		os.Exit(0)
	}
	// The registry behind the cloud logs every 404, which pushes begin with.
	logrus.SetLevel(logrus.FatalLevel)
	os.Exit(run(m))
}

func crane() int {
	logs.Warn.SetOutput(os.Stderr)
	if err := cmd.Root.ExecuteContext(context.Background()); err != nil {
		return 1
	}
	return 0
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "acr-e2e-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	bin = dir
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	forgetTester()
	return m.Run()
}

// forgetTester hides whom the tester is signed in as from whatever runs with the
// test's own environment, as docker-credential-helpers' client has it.
func forgetTester() {
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		for _, prefix := range []string{"AZURE_", "ARM_", "DOCKER_", "XDG_", "DBUS_", "IDENTITY_", "MSI_", "IMDS_", "DEFAULT_IDENTITY_"} {
			if strings.HasPrefix(name, prefix) {
				os.Unsetenv(name)
			}
		}
	}
}

func build() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range []string{"crane", keeper} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	if built := os.Getenv(networkVariable); built != "" {
		return os.Symlink(filepath.Join(built, program), filepath.Join(bin, program))
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, program), "./credential-helper/"+program)
	cmd.Dir = "../.." // the program's own module, so that it has its own versions of everything
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", program, err, out)
	}
	return nil
}

// searchPath is the PATH of clients.
func searchPath() string { return bin + string(os.PathListSeparator) + os.Getenv("PATH") }

// packages says what to install for a program where that isn't its name.
var packages = map[string]string{
	"docker":               "docker.io",
	"dbus-run-session":     "dbus",
	"gnome-keyring-daemon": "gnome-keyring",
	"keyctl":               "keyutils",
	"unshare":              "util-linux",
}

// need skips the test unless the programs are there; in CI it fails.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := os.Stat(filepath.Join(bin, p)); err == nil {
			continue
		}
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if p == "docker" && debianDocker() == nil {
			continue
		}
		name := packages[p]
		if name == "" {
			name = p
		}
		missing(t, fmt.Sprintf("%s is not installed (Debian: apt-get install %s)", p, name))
	}
}

// missing ends a test that can't run here.
func missing(t *testing.T, why string) {
	t.Helper()
	note(why)
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// note writes down what could not be tested, for make to say: go test itself
// keeps quiet about what it skips.
func note(why string) {
	f, err := os.OpenFile(os.Getenv("NOT_TESTED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintln(f, why)
		f.Close()
	}
}

// debianDocker puts Debian's docker CLI into bin without installing it: the
// package brings an engine, which would start. Only CI may fetch something by
// itself; elsewhere the client is missing.
var debianDocker = sync.OnceValue(func() error {
	if os.Getenv("CI") != "true" {
		return exec.ErrNotFound
	}
	dir := filepath.Join(bin, "docker.io")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	cmd := exec.Command("sh", "-ec", "apt-get download docker.io; dpkg -x docker.io_*.deb .; mv usr/bin/docker ../docker")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("fetching Debian's docker CLI: %w\n%s", err, out)
		fmt.Fprintln(os.Stderr, err)
	}
	return err
})
