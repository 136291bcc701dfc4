package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/regclient/regclient"
	"github.com/regclient/regclient/types/ref"
)

// regctlDigest prints the digest of an image, by the library that regctl is made of.
func regctlDigest() int {
	ctx := context.Background()
	image, err := ref.New(os.Args[1])
	if err == nil {
		m, failed := regclient.New(regclient.WithDockerCreds()).ManifestHead(ctx, image)
		if err = failed; err == nil {
			fmt.Println(m.GetDescriptor().Digest)
			return 0
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// TestList_for_regctl has a client that asks a credsStore for the list, and gets only what that names.
func TestList_for_regctl(t *testing.T) {
	const digest = regctlProgram + " {image}"
	for _, row := range []struct {
		what    string
		prepare func(*fixture)
		works   bool
	}{
		{"fresh", func(*fixture) {}, false},
		{"after another client", func(f *fixture) { f.pull(clientNamed("crane"), app) }, true},
		{"a named registry", func(f *fixture) { f.helper("configure", host, "--all-registries", "--client", "docker") }, true},
		{"a login for the registry", func(f *fixture) {
			f.write(filepath.Join(f.work, "secret"), clientSecret)
			f.helper("login", host, "--service-principal", "--client-id", clientID, "--tenant", f.tenant.ID(),
				"--secret-file", filepath.Join(f.work, "secret"))
			if err := os.Remove(filepath.Join(f.work, "secret")); err != nil {
				t.Error(err)
			}
		}, true},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t)
			f.useServicePrincipal(clientSecret)
			f.configure(credsStore)
			row.prepare(f)
			if out, err := f.try(digest, app, "", ""); (err == nil) != row.works {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
