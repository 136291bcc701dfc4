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

// The names of the story.
const (
	host     = "contoso.azurecr.io"
	image    = host + "/hello:1"
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "7d1c0000-0000-4000-8000-00000000abcd"
	password = "first~secret-of.the.service.principal"
	rotated  = "second~secret-of.the.service.principal"
)

// A stage is what the steps share: the sandbox, and a scratch machine to use it.
type stage struct {
	ctx      context.Context
	out      io.Writer
	cloud    *azuretest.Cloud
	app      *azuretest.ServicePrincipal
	registry *azuretest.Registry
	client   client
	dir      string // everything below it is deleted at the end
	helper   string // the helper's path
	env      []string
}

// newStage builds everything that is the same for every client. On an error
// nothing of it stays.
func newStage(ctx context.Context, out io.Writer) (s *stage, err error) {
	dir, err := os.MkdirTemp("", "acr-demo-")
	if err != nil {
		return nil, err
	}
	s = &stage{ctx: ctx, out: out, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.cloud, err = azuretest.New(); err != nil {
		return nil, err
	}
	tenant := s.cloud.AddTenant(tenantID, "contoso.example")
	s.app = tenant.AddServicePrincipal(clientID, password)
	s.registry = s.cloud.AddRegistry(host, tenant)
	s.registry.Grant(s.app, azuretest.AcrPush)
	return s, s.furnish()
}

// furnish builds the scratch machine: a home, a directory of programs, the
// sandbox's root certificate, and an image to push.
func (s *stage) furnish() error {
	for _, d := range []string{s.home(".docker"), s.home(".config", "containers"), s.path("bin"), s.path("run"), s.path("tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	s.helper = s.path("bin", program)
	if runtime.GOOS == "windows" {
		s.helper += ".exe"
	}
	s.env = s.environment()
	// Podman and Skopeo want to be told whose images to run; these are our own.
	policy := s.home(".config", "containers", "policy.json")
	return errors.Join(
		install(s.helper),
		s.cloud.WriteCA(s.path("root.pem")),
		os.WriteFile(policy, []byte(`{"default":[{"type":"insecureAcceptAnything"}]}`), 0o600),
		writeImage(s.path("image")),
	)
}

// environment is all that the programs get to know. Nothing of the user's own is
// in it but PATH, so that no login, proxy or keyring of theirs takes part. The
// proxy and the certificate are for the client, on its way to the sandbox.
func (s *stage) environment() []string {
	variables := [][2]string{
		{"PATH", s.path("bin") + string(os.PathListSeparator) + os.Getenv("PATH")},
		{"HOME", s.home()},
		{"USERPROFILE", s.home()},
		{"XDG_RUNTIME_DIR", s.path("run")},
		{"TMPDIR", s.path("tmp")},
		{"TMP", s.path("tmp")},
		{"TEMP", s.path("tmp")},
		{"REGISTRY_AUTH_FILE", s.home(".docker", "config.json")},
		{"AZURE_CONFIG_DIR", s.home(".azure")},
		{"AZURE_TENANT_ID", tenantID},
		{"DOCKER_CREDENTIAL_ACR_HOME", s.home("acr")},
		{"DOCKER_CREDENTIAL_ACR_KEYRING", "file"},
		{"HTTPS_PROXY", s.cloud.StartProxy().URL()},
		{"SSL_CERT_FILE", s.path("root.pem")},
		{addressVar, s.cloud.Addr()},
		{rootVar, s.path("root.pem")},
	}
	var env []string
	for _, v := range variables {
		env = append(env, v[0]+"="+v[1])
	}
	return env
}

// path is a place in the scratch directory, home one in the home within it.
func (s *stage) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *stage) home(parts ...string) string {
	return s.path(append([]string{"home"}, parts...)...)
}

// close ends the sandbox and deletes the scratch machine. That works after a
// Ctrl-C too, which ends the steps through their context.
func (s *stage) close() error {
	if s.cloud != nil {
		s.cloud.Close()
	}
	if s.client != nil {
		s.client.close()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("deleting the scratch directory: %w", err)
	}
	return nil
}
