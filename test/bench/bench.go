package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const (
	host     = "contoso.azurecr.io"
	host2    = "fabrikam.azurecr.io"
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "7d1c0000-0000-4000-8000-00000000abcd"
	password = "the~secret-of.the.service.principal"
	module   = "github.com/docker-credential-acr/docker-credential-acr"
)

// servicePrincipal are the variables of the identity that most rows sign in as.
var servicePrincipal = []string{
	"AZURE_TENANT_ID=" + tenantID, "AZURE_CLIENT_ID=" + clientID, "AZURE_CLIENT_SECRET=" + password,
}

// A bench is a fake Azure, three programs and a directory.
type bench struct {
	ctx                   context.Context
	cloud                 *azuretest.Cloud
	tenant                *azuretest.Tenant
	app                   *azuretest.ServicePrincipal
	registries            []*azuretest.Registry
	proxy                 string   // to the fake Azure, without delay
	relays                []*relay // to the fake Azure, by distances
	dir                   string   // deleted at the end
	helper, minimal, peak string   // paths of programs
	daemons               []*exec.Cmd
}

// newBench makes everything that rows share. After an error nothing is left.
func newBench(ctx context.Context) (b *bench, err error) {
	dir, err := os.MkdirTemp("", "acr-bench-")
	if err != nil {
		return nil, err
	}
	b = &bench{ctx: ctx, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := b.startCloud(); err != nil {
		return nil, err
	}
	b.helper, b.minimal, b.peak = b.path("docker-credential-acr"), b.path("minimal"), b.path("peak")
	return b, errors.Join(
		b.build(b.helper, module+"/credential-helper/docker-credential-acr"),
		b.build(b.minimal, module+"/test/bench/minimal"),
		b.build(b.peak, module+"/test/bench/peak"),
	)
}

// startCloud starts the fake Azure, and the ways to it.
func (b *bench) startCloud() (err error) {
	if b.cloud, err = azuretest.New(); err != nil {
		return err
	}
	b.tenant = b.cloud.AddTenant(tenantID)
	b.app = b.tenant.AddServicePrincipal(clientID, password)
	for _, h := range []string{host, host2} {
		b.registries = append(b.registries, b.cloud.AddRegistry(h, b.tenant))
	}
	b.grant(b.app)
	b.proxy = b.cloud.StartProxy().URL()
	for _, rtt := range distances {
		relay, err := startRelay(b.cloud.Addr(), rtt)
		if err != nil {
			return err
		}
		b.relays = append(b.relays, relay)
	}
	return b.cloud.WriteCA(b.path("root.pem"))
}

// grant lets an identity pull from all registries.
func (b *bench) grant(p azuretest.Principal) {
	for _, r := range b.registries {
		r.Grant(p, azuretest.AcrPull)
	}
}

// build builds as releases are built.
func (b *bench) build(target, pkg string) error {
	cmd := exec.CommandContext(b.ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", target, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// env returns the environment of a measured process: the way to the fake Azure, a home directory, and the identity.
func (b *bench) env(home, keyring, proxy string, identity []string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home,
		"HTTPS_PROXY=" + proxy, "SSL_CERT_FILE=" + b.path("root.pem"),
		"DOCKER_CREDENTIAL_ACR_HOME=" + filepath.Join(home, "acr"), "DOCKER_CREDENTIAL_ACR_KEYRING=" + keyring,
	}, identity...)
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

// newHome makes an empty home directory. Rows don't share one, because they would share tokens.
func (b *bench) newHome(name string) (string, error) {
	return os.MkdirTemp(b.dir, "home-"+name+"-")
}

// kinds names requests for readers of the results. The only other request to Entra is that of a peer.
var kinds = map[string]string{
	azuretest.KindOpenID: "OpenID document", azuretest.KindEntraToken: "token request",
	azuretest.KindEntraOther: "token request", azuretest.KindAppService: "local token request",
	azuretest.KindExchange: "exchange",
}

// requests returns a summary of the requests since the last Reset.
func (b *bench) requests() string {
	counts, order := map[string]int{}, []string{}
	for _, r := range b.cloud.Requests() {
		kind := cmp.Or(kinds[r.Kind], r.Kind)
		if counts[kind]++; counts[kind] == 1 {
			order = append(order, kind)
		}
	}
	slices.Sort(order)
	for i, kind := range order {
		order[i] = fmt.Sprintf("%d %s", counts[kind], kind)
	}
	return strings.Join(order, ", ")
}

// close kills the daemons, last first, and deletes all files.
func (b *bench) close() error {
	for _, d := range slices.Backward(b.daemons) {
		_ = d.Process.Kill()
		_ = d.Wait()
	}
	for _, r := range b.relays {
		_ = r.close()
	}
	if b.cloud != nil {
		b.cloud.Close()
	}
	return os.RemoveAll(b.dir)
}
