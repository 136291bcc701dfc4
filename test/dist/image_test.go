package dist

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	host         = "contoso.azurecr.io"
	tenantID     = "11111111-2222-3333-4444-555555555555"
	clientID     = "7d1c0000-0000-4000-8000-00000000abcd"
	clientSecret = "s3cret~of.the-Service-Principal"
	image        = host + "/tools/" + program + ":v" + version
)

// TestImage builds the image, pushes it with the released program as the credential helper, and copies the program out
// of it in another build.
func TestImage(t *testing.T) {
	requireTools(t, "buildah")
	if os.Getuid() != 0 {
		t.Skip("needs root, to build images without a user namespace")
	}
	r := made(t)
	cloud := startCloud(t)
	digests := map[string]bool{}
	var b builder
	for _, r := range []release{r.second, r.first} {
		b = newBuilder(t, cloud, r)
		if _, err := output(string(r), b.environ, "make", "image", "IMAGE="+image); err != nil {
			t.Fatal(err)
		}
		digests[b.digests()] = true
	}
	if len(digests) != 1 {
		t.Errorf("the same image built twice is %v", digests)
	}
	b.buildah("manifest", "push", "--quiet", "--all", image, "docker://"+image)
	if cloud.Seen("exchange") == 0 {
		t.Error("the push did not ask the program")
	}

	b = newBuilder(t, cloud, r.first) // without the image
	files := b.build("COPY --from=" + image + " / /all/\nCOPY --from=" + image + " /" + program + " /usr/local/bin/\n")
	if want := []string{"all/" + program, "usr/local/bin/" + program}; fmt.Sprint(files) != fmt.Sprint(want) {
		t.Errorf("the image has %q, want %q", files, want)
	}
	got := must(t, filepath.Join(b.out, "usr/local/bin", program), "version")
	if want := " v" + version + "\n"; !strings.HasSuffix(got, want) {
		t.Errorf("version prints %q, want %q", got, want)
	}
	b.checkLabels()
}

// storageConf is a containers-storage.conf(5) for a directory.
const storageConf = `[storage]
driver = "vfs"
graphroot = "%s/graph"
runroot = "%[1]s/run"
`

// A builder is buildah with storage of its own, and a cloud whose registry it may push to.
type builder struct {
	t       *testing.T
	dir     string
	out     string // where build puts files
	environ []string
	cloud   *azuretest.Cloud
}

// startCloud starts a cloud with a registry to which the application may push.
func startCloud(t *testing.T) *azuretest.Cloud {
	t.Helper()
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant(tenantID)
	registry := cloud.AddRegistry(host, tenant)
	registry.Grant(tenant.AddServicePrincipal(clientID, clientSecret), azuretest.AcrPush)
	return cloud
}

func newBuilder(t *testing.T, cloud *azuretest.Cloud, r release) builder {
	t.Helper()
	b := builder{t: t, dir: t.TempDir(), cloud: cloud}
	b.out = filepath.Join(b.dir, "out")
	ca := filepath.Join(b.dir, "ca.pem")
	if err := b.cloud.WriteCA(ca); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"auth.json":                           fmt.Sprintf(`{"credHelpers":{%q:"acr"}}`, host),
		"home/.config/containers/policy.json": `{"default":[{"type":"insecureAcceptAnything"}]}`,
		"storage.conf":                        fmt.Sprintf(storageConf, b.dir),
	} {
		path := filepath.Join(b.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.environ = []string{
		"PATH=" + r.dist(program+"_linux_amd64_v1") + ":" + os.Getenv("PATH"), "HOME=" + b.dir + "/home",
		"CONTAINERS_STORAGE_CONF=" + b.dir + "/storage.conf", "REGISTRY_AUTH_FILE=" + b.dir + "/auth.json",
		"BUILDAH_ISOLATION=chroot", "HTTPS_PROXY=" + b.cloud.StartProxy().URL(), "SSL_CERT_FILE=" + ca,
		"AZURE_TENANT_ID=" + tenantID, "AZURE_CLIENT_ID=" + clientID,
		"AZURE_CLIENT_SECRET=" + clientSecret, "DOCKER_CREDENTIAL_ACR_KEYRING=none",
		"GOCACHE=" + goEnv(t, "GOCACHE"), "GOMODCACHE=" + goEnv(t, "GOMODCACHE"),
	}
	return b
}

// goEnv returns a setting of the go command, which follows from HOME.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(must(t, "go", "env", name))
}

func (b builder) buildah(args ...string) string {
	b.t.Helper()
	out, err := output(b.dir, b.environ, "buildah", args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// digests returns those of the image for each platform.
func (b builder) digests() string {
	b.t.Helper()
	var index struct {
		Manifests []struct {
			Digest   string
			Platform struct{ OS, Architecture string }
		}
	}
	if err := json.Unmarshal([]byte(b.buildah("manifest", "inspect", image)), &index); err != nil {
		b.t.Fatal(err)
	}
	found := ""
	for _, m := range index.Manifests {
		found += m.Platform.OS + "/" + m.Platform.Architecture + " " + m.Digest + "\n"
	}
	if !strings.Contains(found, "linux/amd64 ") || !strings.Contains(found, "linux/arm64 ") {
		b.t.Errorf("the image has these platforms: %s", found)
	}
	return found
}

// build builds an image from scratch with these instructions, and returns its files.
func (b builder) build(instructions string) (files []string) {
	b.t.Helper()
	path := filepath.Join(b.dir, "Dockerfile")
	if err := os.WriteFile(path, []byte("FROM scratch\n"+instructions), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.buildah("build", "--quiet", "--file", path, "--output", b.out, b.dir+"/home")
	err := filepath.WalkDir(b.out, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(b.out, path)
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return files
}

// checkLabels checks what tells where the image comes from.
func (b builder) checkLabels() {
	b.t.Helper()
	var inspected struct {
		OCIv1 struct {
			Config struct {
				Labels     map[string]string
				Entrypoint []string
			} `json:"config"`
		}
	}
	if err := json.Unmarshal([]byte(b.buildah("inspect", "--type", "image", image)), &inspected); err != nil {
		b.t.Fatal(err)
	}
	labels := inspected.OCIv1.Config.Labels
	for name, want := range map[string]string{
		"version": version, "source": "https://" + module, "licenses": "MIT", "title": program,
	} {
		if got := labels["org.opencontainers.image."+name]; got != want {
			b.t.Errorf("the label %s is %q, want %q", name, got, want)
		}
	}
	if len(labels["org.opencontainers.image.revision"]) != 40 {
		b.t.Errorf("the label revision is no commit: %q", labels)
	}
	if fmt.Sprint(inspected.OCIv1.Config.Entrypoint) != "[/"+program+"]" {
		b.t.Errorf("the entry point is %q", inspected.OCIv1.Config.Entrypoint)
	}
}
