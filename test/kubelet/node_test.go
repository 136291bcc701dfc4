//go:build kubelet_e2e

package kubelet

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// The programs of a node, which make kubelet-e2e builds or unpacks into these directories.
var (
	kubeletProgram = os.Getenv("KUBELET_PROGRAM")
	debianDir      = os.Getenv("KUBELET_DEBIAN") // where Debian's packages containerd and runc are unpacked
)

const (
	pauseImage = "registry.k8s.io/pause:lab"
	appImage   = host + "/app:1"
	staticPod  = "default/app-lab" // as kubelet names it
)

// TestNode: a real kubelet, without an API server, runs a static pod whose image containerd pulls from the registry
// with what the program answers.
func TestNode(t *testing.T) {
	if !inOwnNode(t) {
		return
	}
	n, image := newNode(t)
	n.startKubelet(n.config("", ""))
	n.awaitState(staticPod, `"running"`)
	n.seen("a pull", map[string]int{azuretest.KindIMDS: 1, azuretest.KindExchange: 1})
	if pulled := image.pulls(); pulled == 0 {
		t.Error("containerd did not pull the image from the registry")
	}
}

// inOwnNode is inOwnNamespace for root: containerd mounts file systems, and makes control groups.
func inOwnNode(t *testing.T) bool {
	t.Helper()
	if kubeletProgram == "" || debianDir == "" {
		t.Fatal("run this with: make kubelet-e2e")
	}
	if os.Getenv(namespaceVar) != "" {
		prepareNamespace(t)
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), namespaceVar+"="+binDir)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS,
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Error(err)
	}
	return false
}

// An imageFile is an image of one layer with one program, as a registry has it.
type imageFile struct {
	config, layer, manifest []byte
	requests                chan string
}

func newImage(t *testing.T) *imageFile {
	t.Helper()
	program := filepath.Join(t.TempDir(), "pause")
	cmd := exec.Command("go", "build", "-o", program, "./pause")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	i := &imageFile{requests: make(chan string, 100)}
	i.layer = tarOf(map[string][]byte{"pause": content})
	i.config = fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{"Entrypoint":["/pause"]},`+
		`"rootfs":{"type":"layers","diff_ids":[%q]}}`, digest(i.layer))
	i.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",`+
		`"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":%q},`+
		`"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","size":%d,"digest":%q}]}`,
		len(i.config), digest(i.config), len(i.layer), digest(i.layer))
	return i
}

func digest(content []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(content)) }

func tarOf(files map[string][]byte) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for name, content := range files {
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))})
		w.Write(content)
	}
	w.Close()
	return out.Bytes()
}

// archive returns the image as docker save writes it.
func (i *imageFile) archive() []byte {
	manifest := fmt.Appendf(nil, `[{"Config":"config.json","RepoTags":[%q],"Layers":["layer.tar"]}]`, pauseImage)
	return tarOf(map[string][]byte{"manifest.json": manifest, "config.json": i.config, "layer.tar": i.layer})
}

// ServeHTTP is a registry behind the check of the token.
func (i *imageFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	last := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	for _, content := range [][]byte{i.config, i.layer, i.manifest} {
		if last != digest(content) && (last != "1" || !bytes.Equal(content, i.manifest)) {
			continue
		}
		if bytes.Equal(content, i.manifest) {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
		}
		w.Header().Set("Docker-Content-Digest", digest(content))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
		i.requests <- last
		return
	}
	w.WriteHeader(http.StatusNotFound)
}

func (i *imageFile) pulls() int { return len(i.requests) }

// A node is containerd and kubelet with their directory.
type node struct {
	*fixture
	dir string
}

// newNode returns a node with containerd, and the image that the registry has under every name.
func newNode(t *testing.T) (*node, *imageFile) {
	t.Helper()
	f := newFixture(t)
	image := newImage(t)
	f.registry.Backend = image
	n := &node{f, filepath.Join(f.dir, "node")}
	n.mountDir()
	n.startContainerd(image)
	return n, image
}

// mountDir makes the node's directory a file system of its own, which goes with all that is mounted in it.
func (n *node) mountDir() {
	n.t.Helper()
	if err := os.Mkdir(n.dir, 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", n.dir, "tmpfs", 0, "mode=0755"); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = unix.Unmount(n.dir, unix.MNT_DETACH) })
}

// start starts a program, whose log the test shows if it fails.
func (n *node) start(name string, args ...string) {
	n.t.Helper()
	log := filepath.Join(n.dir, filepath.Base(name)+".log")
	out, err := os.Create(log)
	if err != nil {
		n.t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", out, out
	cmd.Env = []string{
		"PATH=" + debianDir + "/usr/bin:" + debianDir + "/usr/sbin:" + os.Getenv("PATH"),
		"HTTPS_PROXY=" + n.cloud.StartProxy().URL(), "NO_PROXY=127.0.0.1,localhost",
		"SSL_CERT_FILE=" + n.ca, "SSL_CERT_DIR=" + n.fixture.dir,
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		done := make(chan struct{})
		go func() { _ = cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-done
		}
		if n.t.Failed() {
			content := withoutInfo(log)
			n.t.Logf("%s: %s", log, content[max(0, len(content)-8000):])
		}
	})
}

// withoutInfo returns a log without the lines that kubelet writes all the time.
func withoutInfo(path string) string {
	content, _ := os.ReadFile(path)
	var lines []string
	for line := range strings.Lines(string(content)) {
		if !strings.HasPrefix(line, "I") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

func (n *node) write(name, content string) string {
	n.t.Helper()
	path := filepath.Join(n.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	content = strings.NewReplacer("$K", n.dir, "$D", debianDir).Replace(content)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		n.t.Fatal(err)
	}
	return path
}

func (n *node) startContainerd(image *imageFile) {
	n.t.Helper()
	config := n.write("containerd.toml", `version = 2
root = "$K/containerd-root"
state = "$K/containerd-state"
[grpc]
address = "$K/containerd.sock"
[ttrpc]
address = "$K/containerd.sock.ttrpc"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "`+pauseImage+`"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
BinaryName = "$D/usr/sbin/runc"
`)
	n.start(debianDir+"/usr/bin/containerd", "--config", config)
	archive := n.write("pause.tar", "")
	if err := os.WriteFile(archive, image.archive(), 0o600); err != nil {
		n.t.Fatal(err)
	}
	ctr := func(args ...string) (string, error) {
		args = append([]string{"--address", n.dir + "/containerd.sock", "--namespace", "k8s.io"}, args...)
		out, err := exec.Command(debianDir+"/usr/bin/ctr", args...).CombinedOutput()
		return string(out), err
	}
	n.await("containerd", func() bool { _, err := ctr("version"); return err == nil })
	if out, err := ctr("images", "import", "--snapshotter", "native", archive); err != nil {
		n.t.Fatalf("%v: %s", err, out)
	}
}

// startKubelet starts kubelet with settings that also work in a container, and with one static pod. More arguments
// connect it to an API server.
func (n *node) startKubelet(providers string, more ...string) {
	n.t.Helper()
	n.write("manifests/app.yaml", `apiVersion: v1
kind: Pod
metadata: {name: app, namespace: default}
spec:
  hostNetwork: true
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
  - {name: app, image: "`+appImage+`", imagePullPolicy: Always}
`)
	config := n.write("kubelet.yaml", `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
address: 127.0.0.1
healthzPort: 0
containerRuntimeEndpoint: unix://$K/containerd.sock
staticPodPath: $K/manifests
fileCheckFrequency: 1s
syncFrequency: 2s
failCgroupV1: false
failSwapOn: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
resolvConf: ""
podLogsDir: $K/podlogs
volumePluginDir: $K/volumes
evictionHard: {nodefs.available: "1%"}
contentType: application/json
featureGates: {KubeletInUserNamespace: true}
`)
	n.start(kubeletProgram, append(more, "--config", config, "--root-dir", n.dir+"/root", "--cert-dir", n.dir+"/certs",
		"--hostname-override", "lab", "--v=4",
		"--image-credential-provider-config", providers, "--image-credential-provider-bin-dir", n.binDir)...)
}

// states returns what kubelet says of its pods' containers, by NAMESPACE/NAME of the pod.
func (n *node) states() (map[string]string, error) {
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // kubelet's own certificate
	}
	resp, err := client.Get("https://127.0.0.1:10250/pods")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var pods struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Status   struct {
				ContainerStatuses []struct{ State json.RawMessage }
			}
		}
	}
	err = json.NewDecoder(resp.Body).Decode(&pods)
	states := map[string]string{}
	for _, p := range pods.Items {
		for _, c := range p.Status.ContainerStatuses {
			states[p.Metadata.Namespace+"/"+p.Metadata.Name] = string(c.State)
		}
	}
	return states, err
}

// awaitState waits until the state of a pod's container contains a text.
func (n *node) awaitState(pod, text string) {
	n.t.Helper()
	n.await(pod+" to be "+text, func() bool {
		states, _ := n.states()
		return strings.Contains(states[pod], text)
	})
}

// await waits until something is so.
func (n *node) await(what string, isSo func() bool) {
	n.t.Helper()
	for range 120 {
		if isSo() {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	states, err := n.states()
	n.t.Fatalf("waited in vain for %s; pods: %v, %v", what, states, err)
}
