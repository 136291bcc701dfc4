package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// Names that tests use. Each secret is a text that occurs nowhere else.
const (
	host          = "contoso.azurecr.io"
	otherHost     = "registry.example" // not an Azure registry
	clientID      = "7d1c0000-0000-4000-8000-00000000abcd"
	clientSecret  = "s3cret~of.the-Service-Principal"
	adminPassword = "s3cret/of+the=Admin-User"
	tokenPassword = "s3cret/of+the=Scoped-Token"
	nullGUID      = "00000000-0000-0000-0000-000000000000"
)

// The images that tests pull and push.
const (
	app    = host + "/app:1"    // exists from the start
	other  = host + "/other:1"  // exists, too, and the scoped token has no access
	pushed = host + "/app:mine" // exists after a push
)

// A fixture is one test's environment: a cloud with a registry to which a service principal may push, and a home
// directory for clients.
type fixture struct {
	t        *testing.T
	cloud    *azuretest.Cloud
	tenant   *azuretest.Tenant
	app      *azuretest.ServicePrincipal
	registry *azuretest.Registry
	backend  http.Handler
	session  *session // nil without a D-Bus session

	as []string // the command that runs others as another user; nil for none

	home string // the user's home directory, which is searched for secrets
	work string // the test's own files

	mu           sync.Mutex
	env          map[string]string
	authfile     string
	outputs      []string // what clients printed
	allowedHosts []string // hosts outside the cloud that clients may connect to
	commandLines atomic.Int32
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, cloud: azuretest.Start(t), home: t.TempDir(), work: makeWorkDir(t), backend: newBackend()}
	f.tenant = f.cloud.AddTenant("")
	f.app = f.tenant.AddServicePrincipal(clientID, clientSecret)
	f.registry = f.cloud.AddRegistry(host, f.tenant)
	f.registry.Grant(f.app, azuretest.AcrPush)
	f.registry.Backend = f.backend
	addImages(t, f.backend, "app:1", "other:1")
	writeLayout(t, f.work)
	ca := filepath.Join(f.work, "ca.pem")
	if err := f.cloud.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	// PATH is all that clients get of the tester's own environment.
	f.env = map[string]string{
		"PATH": searchPath(), "HOME": f.home, "TMPDIR": f.dir("tmp"),
		"HTTPS_PROXY": f.cloud.StartProxy().URL(), "SSL_CERT_FILE": ca, "SSL_CERT_DIR": f.work,
		"DOCKER_HOST":                   "unix://" + f.work + "/no-daemon",
		"DOCKER_CLI_EXPERIMENTAL":       "enabled", // for manifest inspect, up to 20.10
		"XDG_RUNTIME_DIR":               f.dir("run"),
		"DOCKER_CREDENTIAL_ACR_KEYRING": "file",
	}
	// Podman's files in the user's home replace those in /etc.
	f.write(filepath.Join(f.home, ".config/containers/registries.conf"), "")
	f.write(filepath.Join(f.home, ".config/containers/policy.json"), `{"default":[{"type":"insecureAcceptAnything"}]}`)
	t.Cleanup(f.checkSecrets)
	return f
}

var workDirs atomic.Int32

// makeWorkDir makes a directory with a short name: Podman rejects a runroot of more than 50 characters, and paths of
// sockets are limited, too.
func makeWorkDir(t *testing.T) string {
	t.Helper()
	dir := fmt.Sprintf("%s/w%d", bin, workDirs.Add(1))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// dir makes a directory in f.work.
func (f *fixture) dir(name string) string {
	f.t.Helper()
	path := filepath.Join(f.work, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		f.t.Fatal(err)
	}
	return path
}

func (f *fixture) write(path, content string) string {
	f.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// configure names the helper in a client's file.
func (f *fixture) configure(file configFile) {
	f.t.Helper()
	credHelpers := fmt.Sprintf(`{"credHelpers":{%q:"acr"}}`, host)
	switch file {
	case dockerConfig:
		path := f.write(filepath.Join(f.home, ".docker/config.json"), credHelpers)
		// Without this option, podman login writes the plaintext password to its own auth.json.
		f.authfile = "--authfile=" + path
	case credsStore:
		f.write(filepath.Join(f.home, ".docker/config.json"), `{"credsStore":"acr"}`)
	case containersAuth:
		f.env["REGISTRY_AUTH_FILE"] = f.write(filepath.Join(f.home, "auth.json"), credHelpers)
	case registriesConf:
		f.write(filepath.Join(f.home, ".config/containers/registries.conf"), `credential-helpers = ["acr"]`)
	}
}

// configureAllRegistries names the helper for every registry in a file that the client reads.
func (f *fixture) configureAllRegistries(c client) {
	f.t.Helper()
	if c.config == dockerConfig {
		f.configure(credsStore)
		return
	}
	delete(f.env, "REGISTRY_AUTH_FILE")
	f.configure(registriesConf)
}

// useServicePrincipal sets the environment variables of the service principal.
func (f *fixture) useServicePrincipal(secret string) {
	f.env["AZURE_TENANT_ID"], f.env["AZURE_CLIENT_ID"], f.env["AZURE_CLIENT_SECRET"] = f.tenant.ID(), clientID, secret
}

// commands returns a client's command lines with all placeholders replaced. Each call gets new directories for images,
// so that every pull fetches everything and several clients can run at once.
func (f *fixture) commands(lines, image, user string) [][]string {
	out := fmt.Sprintf("%s/%d", f.work, f.commandLines.Add(1))
	storage := fmt.Sprintf("--storage-driver=vfs --root=%s-root --runroot=%s-run", out, out)
	registry, _, _ := strings.Cut(image, "/")
	lines = strings.NewReplacer(
		"{podman}", storage+" --events-backend=none --tmpdir="+out+"-tmp", "{storage}", storage,
		"{authfile}", f.authfile, "{work}", f.work, "{out}", out,
		"{image}", image, "{host}", registry, "{user}", user,
	).Replace(lines)
	var commands [][]string
	for line := range strings.Lines(lines) {
		commands = append(commands, strings.Fields(line))
	}
	return commands
}

// environ returns the environment of clients.
func (f *fixture) environ() []string {
	var environ []string
	for name, value := range f.env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// commandTimeout ends a client that hangs. No client needs a tenth of it.
const commandTimeout = 2 * time.Minute

// exec runs a command and returns everything that it printed.
func (f *fixture) exec(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	args = append(slices.Clone(f.as), args...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Path = f.find(args[0])
	cmd.Err = nil
	cmd.Env, cmd.Dir, cmd.Stdin = f.environ(), f.work, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outputs = append(f.outputs, string(out))
	return string(out), err
}

// find returns the path of a program, from bin first, as in the PATH of clients.
func (f *fixture) find(name string) string {
	if path := filepath.Join(bin, name); exists(path) {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		f.t.Error(err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
