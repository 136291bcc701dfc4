package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// runEngine is the command line of dockerd. It has mounts and processes of its own, which end with it, and no network
// for containers; what it mounts over /run hides the engine of this computer.
const runEngine = `mount --make-rprivate /; mount -t tmpfs tmpfs /run
exec dockerd --host "unix://$1/engine.sock" --data-root "$1/engine" --exec-root /run/engine --pidfile /run/engine.pid \
	--storage-driver vfs --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false`

// hasEngine reports whether startEngine can start an engine.
func hasEngine() bool {
	_, err := exec.LookPath("dockerd")
	return os.Getuid() == 0 && (err == nil || debianDocker() == nil)
}

// startEngine starts a Docker engine that reaches the cloud, for the docker CLI.
func (f *fixture) startEngine() {
	f.t.Helper()
	requireTools(f.t, "docker", "unshare")
	if !hasEngine() {
		skipOrFail(f.t, "dockerd needs root, and is not installed or can't be downloaded (Debian: docker.io)")
	}
	log, err := os.Create(filepath.Join(f.work, "engine.log"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("unshare", "-m", "-p", "-f", "--mount-proc", "--kill-child",
		"sh", "-ec", runEngine, "sh", f.work)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(f.environ(), "PATH="+debianPath()), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		skipOrFail(f.t, "dockerd can't be started: "+err.Error())
	}
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	f.env["DOCKER_HOST"] = "unix://" + f.work + "/engine.sock"
	const patience = 30 * time.Second
	end := time.Now().Add(patience)
	for ; !exists(filepath.Join(f.work, "engine.sock")); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			content, _ := os.ReadFile(log.Name())
			f.t.Fatalf("dockerd did not start:\n%s", content)
		}
	}
}

// classicBuild is docker build without BuildKit: the CLI collects the credentials of all registries that its file or
// the helper's list names, and sends them to the engine.
const classicBuild = "docker build -q --pull --no-cache {work}/context"

// writeContext makes what classicBuild builds from an image, and turns BuildKit off.
func (f *fixture) writeContext(image string) {
	f.write(filepath.Join(f.work, "context/Dockerfile"), "FROM "+image+"\nLABEL built=1\n")
	f.env["DOCKER_BUILDKIT"] = "0"
}

// TestEngine has Docker's engine, which gets the credentials from the docker CLI.
func TestEngine(t *testing.T) {
	f := newFixture(t)
	f.useServicePrincipal(clientSecret)
	f.configure(dockerConfig)
	f.startEngine()
	docker := client{
		name: "docker", pull: "docker pull -q {image}", push: "docker tag " + app + " {image}\ndocker push -q {image}",
	}
	f.pull(docker, app)
	f.push(docker)
	f.writeContext(other)
	f.must(classicBuild, other, "", "")
	f.expectExchanges(1)
}

// TestEngine_classic_build names several registries in credHelpers. The docker CLI asks for all of them, one after the
// other, before the build: a sign-in that fails is tried once, and does not end the build of a public image.
func TestEngine_classic_build(t *testing.T) {
	f := newFixture(t)
	var names []string
	for i := range 3 {
		name := fmt.Sprintf("fabrikam%d.azurecr.io", i)
		f.cloud.AddRegistry(name, f.tenant).Grant(f.app, azuretest.AcrPull)
		names = append(names, fmt.Sprintf("%q:\"acr\"", name))
	}
	f.write(filepath.Join(f.home, ".docker/config.json"),
		fmt.Sprintf(`{"credHelpers":{%q:"acr",%q:"acr",%s}}`, host, otherHost, strings.Join(names, ",")))
	f.startEngine()
	f.writeContext(app)
	for _, row := range []struct {
		what, secret string
		isPublic     bool
		works        bool
		exchanges    int
	}{
		{"a wrong secret", "wrong", false, false, 0},
		{"a wrong secret, public image", "wrong", true, true, 0},
		{"the right secret", clientSecret, false, true, 4},
		{"again, from the cache", clientSecret, false, true, 0},
	} {
		f.cloud.Reset()
		f.useServicePrincipal(row.secret)
		f.registry.AnonymousPull(row.isPublic)
		out, err := f.try(classicBuild, app, "", "")
		if (err == nil) != row.works {
			t.Errorf("%s: %v\n%s", row.what, err, out)
		}
		if n := f.cloud.Seen(azuretest.KindEntraToken); n > 1 {
			t.Errorf("%s: %d sign-ins", row.what, n)
		}
		if n := f.cloud.Seen(azuretest.KindExchange); n != row.exchanges {
			t.Errorf("%s: %d exchanges", row.what, n)
		}
	}
}
