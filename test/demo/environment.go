package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// The names in the demo.
const (
	host      = "contoso.azurecr.io"
	image     = host + "/hello:1"
	tenantID  = "11111111-2222-3333-4444-555555555555"
	clientID  = "7d1c0000-0000-4000-8000-00000000abcd"
	password  = "first~secret-of.the.service.principal"
	newSecret = "second~secret-of.the.service.principal"
)

// A demo is what the steps share: the fake Azure, and a home directory with programs for a user.
type demo struct {
	ctx      context.Context
	out      io.Writer
	cloud    *azuretest.Cloud
	app      *azuretest.ServicePrincipal
	registry *azuretest.Registry
	client   client
	dir      string // deleted at the end
	helper   string // path of the helper
	env      []string
}

// newDemo makes everything that does not depend on the client. After an error nothing is left.
func newDemo(ctx context.Context, out io.Writer) (d *demo, err error) {
	dir, err := os.MkdirTemp("", "acr-demo-")
	if err != nil {
		return nil, err
	}
	d = &demo{ctx: ctx, out: out, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if d.cloud, err = azuretest.New(); err != nil {
		return nil, err
	}
	tenant := d.cloud.AddTenant(tenantID, "contoso.example")
	d.app = tenant.AddServicePrincipal(clientID, password)
	d.registry = d.cloud.AddRegistry(host, tenant)
	d.registry.Grant(d.app, azuretest.AcrPush)
	return d, d.makeFiles()
}

func (d *demo) makeFiles() error {
	containers := d.home(".config", "containers")
	for _, dir := range []string{d.home(".docker"), containers, d.path("bin"), d.path("run"), d.path("tmp")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	d.helper = d.path("bin", program)
	if runtime.GOOS == "windows" {
		d.helper += ".exe"
	}
	d.env = d.environ()
	// Podman and Skopeo need a policy that says which images are trusted.
	policy := filepath.Join(containers, "policy.json")
	return errors.Join(
		install(d.helper),
		d.cloud.WriteCA(d.path("root.pem")),
		os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600),
		writeImage(d.path("image")),
	)
}

// environ returns the environment of all programs. It has only the PATH of the user's own environment, so the user's
// logins, proxy and keyring are not used. The client reaches the fake Azure with the proxy and the certificate.
func (d *demo) environ() []string {
	variables := [][2]string{
		{"PATH", d.path("bin") + string(os.PathListSeparator) + os.Getenv("PATH")},
		{"HOME", d.home()},
		{"USERPROFILE", d.home()},
		{"XDG_RUNTIME_DIR", d.path("run")},
		{"TMPDIR", d.path("tmp")},
		{"TMP", d.path("tmp")},
		{"TEMP", d.path("tmp")},
		{"REGISTRY_AUTH_FILE", d.home(".docker", "config.json")},
		{"AZURE_CONFIG_DIR", d.home(".azure")},
		{"AZURE_TENANT_ID", tenantID},
		{"DOCKER_CREDENTIAL_ACR_HOME", d.home("acr")},
		{"DOCKER_CREDENTIAL_ACR_KEYRING", "file"},
		{"HTTPS_PROXY", d.cloud.StartProxy().URL()},
		{"SSL_CERT_FILE", d.path("root.pem")},
		{addressVar, d.cloud.Addr()},
		{rootVar, d.path("root.pem")},
	}
	var env []string
	for _, v := range variables {
		env = append(env, v[0]+"="+v[1])
	}
	return env
}

// path returns a path in the demo's directory, and home one in the home directory.
func (d *demo) path(parts ...string) string {
	return filepath.Join(append([]string{d.dir}, parts...)...)
}

func (d *demo) home(parts ...string) string {
	return d.path(append([]string{"home"}, parts...)...)
}

// close stops the fake Azure and deletes all files, also after Ctrl-C, which ends the steps through their context.
func (d *demo) close() error {
	if d.cloud != nil {
		d.cloud.Close()
	}
	if d.client != nil {
		d.client.close()
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("deleting the demo's directory: %w", err)
	}
	return nil
}
