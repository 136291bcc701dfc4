package kubelet

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/kubernetes/pkg/credentialprovider/plugin"

	"github.com/docker-credential-acr/docker-credential-acr/internal/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	host     = "contoso.azurecr.io"
	nullGUID = "00000000-0000-0000-0000-000000000000"
	provider = "acr-credential-provider" // the name of the program that this one replaces
)

// A fixture is a node of a cluster, and the fake Azure.
type fixture struct {
	t        *testing.T
	cloud    *azuretest.Cloud
	tenant   *azuretest.Tenant
	registry *azuretest.Registry
	identity *azuretest.ManagedIdentity

	dir, binDir, ca, azureJSON string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, cloud: azuretest.Start(t), dir: t.TempDir()}
	f.tenant = f.cloud.AddTenant("")
	f.registry = f.cloud.AddRegistry(host, f.tenant)
	f.identity = f.tenant.AddManagedIdentity("kubelet")
	f.registry.Grant(f.identity, azuretest.AcrPull)
	f.cloud.AddManagedIdentityHost().Assign(f.identity, f.tenant.AddManagedIdentity("addon"))
	imds, err := net.Listen("tcp", "169.254.169.254:80")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { imds.Close() })
	f.cloud.ServeIMDS(imds)
	f.ca = filepath.Join(f.dir, "ca.pem")
	if err := f.cloud.WriteCA(f.ca); err != nil {
		t.Fatal(err)
	}
	f.azureJSON = f.write("azure.json", fmt.Sprintf(`{"cloud":"AzurePublicCloud","tenantId":%q,"aadClientId":"msi",
		"aadClientSecret":"msi","useManagedIdentityExtension":true,"userAssignedIdentityID":%q}`, f.tenant.ID(), f.identity.ClientID()))
	f.binDir = os.Getenv(namespaceVar)
	return f
}

// build builds the program into a directory, once, with the main module's versions of its dependencies.
func build(dir string) error {
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, provider), "./credential-helper/docker-credential-acr")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

func (f *fixture) write(name, content string) string {
	f.t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return path
}

// config has the program print a config for kubelet, with an edit.
func (f *fixture) config(from, to string, args ...string) string {
	f.t.Helper()
	out, err := exec.Command(filepath.Join(f.binDir, provider), append([]string{f.azureJSON, "--print-config"}, args...)...).Output()
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(string(out), from) {
		f.t.Fatalf("%s is not in %s", from, out)
	}
	return f.write("config.yaml", strings.Replace(string(out), from, to, 1))
}

// seen fails unless Azure has received so many requests of the kinds since the last call.
func (f *fixture) seen(what string, want map[string]int) {
	f.t.Helper()
	for kind, n := range want {
		if got := f.cloud.Seen(kind); got != n {
			f.t.Errorf("%s: %d requests of kind %s, want %d", what, got, kind, n)
		}
	}
	f.cloud.Reset()
}

// isToken reports whether kubelet tries a token first, and then, if anonymous, without one.
func isToken(found []credential, anonymous bool) bool {
	if anonymous {
		if len(found) != 2 || found[1] != (credential{}) {
			return false
		}
		found = found[:1]
	}
	return len(found) == 1 && found[0].Username == nullGUID && strings.HasPrefix(found[0].Password, "ey")
}

// TestKubelet_node: kubelet without HOME gets the credential of the node's managed identity, in every version of the
// protocol. Ten images at once make one exchange, and a restart of kubelet none.
func TestKubelet_node(t *testing.T) {
	if !inOwnNamespace(t) {
		return
	}
	f := newFixture(t)
	var ten []lookup
	for i := range 10 {
		ten = append(ten, lookup{Image: fmt.Sprintf("%s/app%d", host, i)})
	}
	config := f.config("", "")
	found, log := f.run(start{Config: config, Lookups: ten})
	for i, credentials := range found {
		if !isToken(credentials, true) {
			t.Errorf("%s: %v\n%s", ten[i].Image, credentials, log)
		}
	}
	f.seen("ten images", map[string]int{azuretest.KindIMDS: 1, azuretest.KindExchange: 1})
	again, _ := f.run(start{Config: config, Lookups: []lookup{{Image: "Contoso.AzureCR.io/app"}}})
	if isToken(again[0], true) {
		t.Error("kubelet's patterns are compared exactly, so *.azurecr.io must not match Contoso.AzureCR.io")
	}
	for _, version := range []string{"v1", "v1beta1", "v1alpha1"} {
		const group = "apiVersion: credentialprovider.kubelet.k8s.io/"
		restarted, log := f.run(start{
			Config:  f.config(group+"v1", group+version),
			Lookups: []lookup{{Image: host + "/app"}, {Image: "Contoso.azurecr.io/app"}, {Image: "docker.io/library/busybox"}},
		})
		if !isToken(restarted[0], true) || !isToken(restarted[1], true) || len(restarted[2]) > 0 {
			t.Errorf("%s: %v\n%s", version, restarted, log)
		}
	}
	f.seen("restarts", map[string]int{azuretest.KindIMDS: 0, azuretest.KindExchange: 0})
	info, err := os.Stat("/var/lib/docker-credential-acr")
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Error(info, err)
	}
}

// TestKubelet_without_keyctl: the key is in /run, where only root can read it.
func TestKubelet_without_keyctl(t *testing.T) {
	if !inOwnNamespace(t) {
		return
	}
	f := newFixture(t)
	for range 2 {
		found, log := f.run(start{Config: f.config("", ""), Lookups: []lookup{{Image: host + "/app"}}, WithoutKeyctl: true})
		if !isToken(found[0], true) {
			t.Errorf("%v\n%s", found, log)
		}
	}
	f.seen("two starts", map[string]int{azuretest.KindExchange: 1})
	for path, mode := range map[string]os.FileMode{"/run/docker-credential-acr": 0o700, "/run/docker-credential-acr/key": 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
}

// TestKubelet_service_accounts: each pod gets what its service account may pull, and never the node's credential.
func TestKubelet_service_accounts(t *testing.T) {
	if !inOwnNamespace(t) {
		return
	}
	f := newFixture(t)
	cluster := f.cloud.AddIssuer("https://oidc.cluster.example/")
	accounts := map[string]account{}
	for _, name := range []string{"cart", "billing", "untrusted", "plain"} {
		a := cluster.ServiceAccount("shop", name)
		app := f.tenant.AddServicePrincipal("", "not-used")
		f.registry.Grant(app, azuretest.AcrPull)
		if name != "untrusted" {
			app.AddFederatedCredential(cluster.URL(), a.Subject(), "")
		}
		annotations := map[string]string{
			"kubernetes.azure.com/acr-client-id": app.ClientID(), "kubernetes.azure.com/acr-tenant-id": f.tenant.ID(),
		}
		if name == "plain" {
			annotations = nil
		}
		accounts["shop/"+name] = account{a.Token(azuretest.TokenExchange, time.Hour), name, annotations}
	}
	config := f.config("", "", "--service-accounts")
	found, log := f.run(start{Config: config, Accounts: accounts, Lookups: []lookup{
		{host + "/app", "shop/cart"},
		{host + "/app", "shop/billing"},
		{host + "/app", "shop/untrusted"},
		{host + "/app", "shop/plain"},
		{host + "/app", ""},
	}})
	if !isToken(found[0], false) || !isToken(found[1], false) || found[0][0] == found[1][0] {
		t.Errorf("service accounts: %v\n%s", found, log)
	}
	if len(found[2]) > 0 || len(found[3]) > 0 {
		t.Errorf("a service account that Entra refuses, or without annotations: %v", found)
	}
	if !isToken(found[4], true) {
		t.Errorf("a static pod: %v\n%s", found[4], log)
	}
	for _, want := range []string{"AADSTS700211", "service account shop/plain: it has no annotation kubernetes.azure.com/acr-client-id"} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in kubelet's log: %s", want, log)
		}
	}
	for name, a := range accounts {
		if strings.Contains(log, a.Token) {
			t.Errorf("the token of %s is in kubelet's log", name)
		}
	}
	f.seen("service accounts", map[string]int{azuretest.KindExchange: 3, azuretest.KindIMDS: 1})
}

// TestKubelet_failure: kubelet's log has the one line that says what is wrong, and kubelet goes on without a credential.
func TestKubelet_failure(t *testing.T) {
	if !inOwnNamespace(t) {
		return
	}
	f := newFixture(t)
	f.registry.Revoke(f.identity)
	lookups := []lookup{{Image: host + "/a"}, {Image: host + "/b"}, {Image: host + "/c"}}
	found, log := f.run(start{Config: f.config("", ""), Lookups: lookups})
	for _, credentials := range found {
		if len(credentials) > 0 {
			t.Error(found)
		}
	}
	const sentence = "docker-credential-acr: contoso.azurecr.io: exchanging the token of managed identity "
	if got := strings.Count(log, sentence); got != len(lookups) || strings.Contains(log, "Usage") {
		t.Errorf("%d times: %s", got, log)
	}
	f.seen("one failure for all", map[string]int{azuretest.KindExchange: 1})
}

// TestParseConfig_agrees_with_kubelet: what keeps kubelet from starting is refused, and nothing else.
func TestParseConfig_agrees_with_kubelet(t *testing.T) {
	const dir = "../../internal/kubelet/testdata/"
	right, err := os.ReadFile(dir + "config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(dir + "mistakes.json")
	if err != nil {
		t.Fatal(err)
	}
	var mistakes []struct{ From, To string }
	if err := json.Unmarshal(content, &mistakes); err != nil {
		t.Fatal(err)
	}
	binDir := t.TempDir()
	if err := os.WriteFile(filepath.Join(binDir, provider), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes {
		config := strings.Replace(string(right), m.From, m.To, 1)
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		theirs := plugin.RegisterCredentialProviderPlugins(path, binDir, nil, nil)
		_, ours := kubelet.ParseConfig([]byte(config))
		if (ours == nil) != (theirs == nil) {
			t.Errorf("%s -> %s: we say %v, kubelet says %v", m.From, m.To, ours, theirs)
		}
	}
}
