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

// These print an image's digest as regctl does, and with the credential that testcontainers-go finds.
const (
	regctlProgram         = "regctl-digest"
	testcontainersProgram = "testcontainers-digest"
)

// bin is the first directory of every client's PATH. It has the program, and links to this test binary under the names
// of programs that it implements: crane (its commands are a library), the delegate helper, and what stands for regctl
// and testcontainers-go.
var bin string

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "crane":
		os.Exit(crane())
	case regctlProgram:
		os.Exit(regctlDigest())
	case testcontainersProgram:
		os.Exit(testcontainersDigest())
	case delegateProgram:
		serveDelegate()
		os.Exit(0)
	}
	logrus.SetLevel(logrus.FatalLevel) // the registry logs each 404, and every push begins with one
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
	clearEnvironment()
	return m.Run()
}

// clearEnvironment removes the tester's own identity. Some clients, such as that of docker-credential-helpers, pass the
// environment of this process on.
func clearEnvironment() {
	prefixes := []string{
		"AZURE_", "ARM_", "DOCKER_", "XDG_", "DBUS_", "IDENTITY_", "MSI_", "IMDS_", "DEFAULT_IDENTITY_",
	}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		for _, prefix := range prefixes {
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
	for _, name := range []string{"crane", regctlProgram, testcontainersProgram, delegateProgram} {
		if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	if built := os.Getenv(namespaceVar); built != "" {
		return os.Symlink(filepath.Join(built, program), filepath.Join(bin, program))
	}
	cmd := exec.Command("go", "build", "-o", filepath.Join(bin, program), "./credential-helper/"+program)
	cmd.Dir = "../.." // the main module, so that the program has its own versions of its dependencies
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", program, err, out)
	}
	return nil
}

// searchPath returns the PATH of clients.
func searchPath() string { return bin + string(os.PathListSeparator) + os.Getenv("PATH") }

// packages are Debian's packages of programs whose package has another name.
var packages = map[string]string{
	"docker":               "docker.io",
	"dbus-run-session":     "dbus",
	"gnome-keyring-daemon": "gnome-keyring",
	"keyctl":               "keyutils",
	"newuidmap":            "uidmap",
	"setpriv":              "util-linux",
	"unshare":              "util-linux",
}

// requireTools skips the test if a program is not installed; with CI=true the test fails.
func requireTools(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if exists(filepath.Join(bin, p)) {
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
		skipOrFail(t, fmt.Sprintf("%s is not installed (Debian: apt-get install %s)", p, name))
	}
}

// skipOrFail ends a test that can't run on this computer.
func skipOrFail(t *testing.T, reason string) {
	t.Helper()
	recordSkip(reason)
	if os.Getenv("CI") == "true" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// recordSkip adds a reason to the list that make test prints at its end, because go test is silent about skipped tests.
func recordSkip(reason string) {
	f, err := os.OpenFile(os.Getenv("NOT_TESTED"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		fmt.Fprintln(f, reason)
		f.Close()
	}
}

// debianDocker downloads Debian's Docker without installing its packages, which would start a daemon, and puts the
// docker CLI into bin. Only with CI=true do tests download anything.
var debianDocker = sync.OnceValue(func() error {
	if os.Getenv("CI") != "true" {
		return exec.ErrNotFound
	}
	if err := os.Mkdir(debianDir(), 0o755); err != nil {
		return err
	}
	const script = `apt-get download docker.io containerd runc
for package in *.deb; do dpkg -x "$package" .; done
command -v docker >/dev/null || ln -s docker.io/usr/bin/docker ../docker`
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = debianDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("fetching Debian's Docker: %w\n%s", err, out)
		fmt.Fprintln(os.Stderr, err)
	}
	return err
})

// debianDir is where Debian's packages are unpacked.
func debianDir() string { return filepath.Join(bin, "docker.io") }

// debianPath is the PATH of Docker's engine: what is installed, then what was downloaded.
func debianPath() string {
	return fmt.Sprintf("%s:%s/usr/sbin:%[2]s/usr/bin", os.Getenv("PATH"), debianDir())
}
