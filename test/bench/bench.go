package main

import (
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
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "7d1c0000-0000-4000-8000-00000000abcd"
	password = "the~secret-of.the.service.principal"
	module   = "github.com/docker-credential-acr/docker-credential-acr"
)

// A bench is a fake Azure, three programs and a directory.
type bench struct {
	ctx                   context.Context
	cloud                 *azuretest.Cloud
	proxy                 string
	dir                   string // deleted at the end
	helper, minimal, peak string // paths of programs
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
	if b.cloud, err = azuretest.New(); err != nil {
		return nil, err
	}
	tenant := b.cloud.AddTenant(tenantID)
	b.cloud.AddRegistry(host, tenant).Grant(tenant.AddServicePrincipal(clientID, password), azuretest.AcrPull)
	b.proxy = b.cloud.StartProxy().URL()
	if err := b.cloud.WriteCA(b.path("root.pem")); err != nil {
		return nil, err
	}
	b.helper, b.minimal, b.peak = b.path("docker-credential-acr"), b.path("minimal"), b.path("peak")
	return b, errors.Join(
		b.build(b.helper, module+"/credential-helper/docker-credential-acr"),
		b.build(b.minimal, module+"/test/bench/minimal"),
		b.build(b.peak, module+"/test/bench/peak"),
	)
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

// env returns the environment of a measured process: the identity, the way to the fake Azure, and a home directory.
// extra comes last and takes precedence.
func (b *bench) env(home, keyring string, extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home,
		"AZURE_TENANT_ID=" + tenantID, "AZURE_CLIENT_ID=" + clientID, "AZURE_CLIENT_SECRET=" + password,
		"HTTPS_PROXY=" + b.proxy, "SSL_CERT_FILE=" + b.path("root.pem"),
		"DOCKER_CREDENTIAL_ACR_HOME=" + filepath.Join(home, "acr"), "DOCKER_CREDENTIAL_ACR_KEYRING=" + keyring,
	}, extra...)
}

func (b *bench) path(parts ...string) string {
	return filepath.Join(append([]string{b.dir}, parts...)...)
}

// newHome makes an empty home directory. Rows don't share one, because they would share tokens.
func (b *bench) newHome(name string) (string, error) {
	return os.MkdirTemp(b.dir, "home-"+name+"-")
}

// requests returns a summary of the requests since the last Reset.
func (b *bench) requests() string {
	counts, order := map[string]int{}, []string{}
	for _, r := range b.cloud.Requests() {
		if counts[r.Kind]++; counts[r.Kind] == 1 {
			order = append(order, r.Kind)
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
	if b.cloud != nil {
		b.cloud.Close()
	}
	return os.RemoveAll(b.dir)
}
