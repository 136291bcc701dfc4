package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// Names that tests use. The secrets are ones that nothing else contains.
const (
	host          = "contoso.azurecr.io"
	public        = "registry.example" // no Azure registry, open to everybody
	clientID      = "7d1c0000-0000-4000-8000-00000000abcd"
	clientSecret  = "s3cret~of.the-Service-Principal"
	adminPassword = "s3cret/of+the=Admin-User"
	tokenPassword = "s3cret/of+the=Scoped-Token"
	nullGUID      = "00000000-0000-0000-0000-000000000000"
)

// A stage is one test's world: a cloud with a registry that lets a service
// principal push and pull, and a home directory in which clients find it.
type stage struct {
	t        *testing.T
	cloud    *azuretest.Cloud
	tenant   *azuretest.Tenant
	app      *azuretest.ServicePrincipal
	registry *azuretest.Registry
	backend  http.Handler
	desktop  *desktop // nil without one

	home string // HOME, searched for secrets in the end
	work string // what the test itself needs

	mu        sync.Mutex
	env       map[string]string
	authfile  string
	said      []string // all that clients printed
	strangers []string // foreign hosts that clients may ask for
	outs      atomic.Int32
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, cloud: azuretest.Start(t), home: t.TempDir(), work: workDir(t), backend: newBackend()}
	s.tenant = s.cloud.AddTenant("")
	s.app = s.tenant.AddServicePrincipal(clientID, clientSecret)
	s.registry = s.cloud.AddRegistry(host, s.tenant)
	s.registry.Grant(s.app, azuretest.AcrPush)
	s.registry.Backend = s.backend
	seed(t, s.backend, "app:1", "other:1")
	writeLayout(t, s.work)
	ca := filepath.Join(s.work, "ca.pem")
	if err := s.cloud.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	// Nothing of the tester's own environment gets in, PATH aside.
	s.env = map[string]string{
		"PATH": searchPath(), "HOME": s.home, "TMPDIR": s.dir("tmp"),
		"HTTPS_PROXY": s.cloud.StartProxy().URL(), "SSL_CERT_FILE": ca, "SSL_CERT_DIR": s.work,
		"DOCKER_HOST":                   "unix://" + s.work + "/no-engine",
		"DOCKER_CLI_EXPERIMENTAL":       "enabled", // manifest inspect, up to 20.10
		"XDG_RUNTIME_DIR":               s.dir("run"),
		"DOCKER_CREDENTIAL_ACR_KEYRING": "file",
	}
	// The user's files keep the machine's out.
	s.write(filepath.Join(s.home, ".config/containers/registries.conf"), "")
	s.write(filepath.Join(s.home, ".config/containers/policy.json"), `{"default":[{"type":"insecureAcceptAnything"}]}`)
	t.Cleanup(s.audit)
	return s
}

var works atomic.Int32

// workDir makes a directory with a short name: podman refuses a runroot of more
// than 50 characters, and a socket's path has little more.
func workDir(t *testing.T) string {
	t.Helper()
	dir := fmt.Sprintf("%s/w%d", bin, works.Add(1))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// dir makes a directory that ends with the test.
func (s *stage) dir(name string) string {
	s.t.Helper()
	path := filepath.Join(s.work, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *stage) write(path, content string) string {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// configure names the helper in one of the places where clients look.
func (s *stage) configure(where configFile) {
	s.t.Helper()
	credHelpers := fmt.Sprintf(`{"credHelpers":{%q:"acr"}}`, host)
	switch where {
	case dockerConfig:
		path := s.write(filepath.Join(s.home, ".docker/config.json"), credHelpers)
		// podman login writes its own auth.json, in clear, unless told.
		s.authfile = "--authfile=" + path
	case credsStore:
		s.write(filepath.Join(s.home, ".docker/config.json"), `{"credsStore":"acr"}`)
	case containersAuth:
		s.env["REGISTRY_AUTH_FILE"] = s.write(filepath.Join(s.home, "auth.json"), credHelpers)
	case registriesConf:
		s.write(filepath.Join(s.home, ".config/containers/registries.conf"), `credential-helpers = ["acr"]`)
	}
}

// signIn makes the environment name the service principal.
func (s *stage) signIn(secret string) {
	s.env["AZURE_TENANT_ID"], s.env["AZURE_CLIENT_ID"], s.env["AZURE_CLIENT_SECRET"] = s.tenant.ID(), clientID, secret
}

// commands completes a client's command lines. Where clients keep images is a
// new place for every call, so that each pull is a whole one and many may run
// side by side.
func (s *stage) commands(lines, image, user string) [][]string {
	out := fmt.Sprintf("%s/%d", s.work, s.outs.Add(1))
	storage := fmt.Sprintf("--storage-driver=vfs --root=%s-root --runroot=%s-run", out, out)
	registry, _, _ := strings.Cut(image, "/")
	lines = strings.NewReplacer(
		"{podman}", storage+" --events-backend=none --tmpdir="+out+"-tmp", "{storage}", storage,
		"{authfile}", s.authfile, "{work}", s.work, "{out}", out,
		"{image}", image, "{host}", registry, "{user}", user,
	).Replace(lines)
	var commands [][]string
	for line := range strings.Lines(lines) {
		commands = append(commands, strings.Fields(line))
	}
	return commands
}

// environ is what clients see.
func (s *stage) environ() []string {
	var environ []string
	for name, value := range s.env {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// commandLimit ends a client that hangs; no client takes a tenth of it.
const commandLimit = 2 * time.Minute

// exec runs a command and returns all that it printed.
func (s *stage) exec(stdin string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Path = s.find(args[0])
	cmd.Err = nil
	cmd.Env, cmd.Dir, cmd.Stdin = s.environ(), s.work, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, string(out))
	return string(out), err
}

// find looks a program up in bin first, as clients do with their PATH.
func (s *stage) find(name string) string {
	if own := filepath.Join(bin, name); exists(own) {
		return own
	}
	path, err := exec.LookPath(name)
	if err != nil {
		s.t.Error(err)
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
