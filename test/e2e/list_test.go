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

// TestList has clients that ask a credsStore for the list, and get only what that names. testcontainers-go asks for
// nothing but the names in its file.
func TestList(t *testing.T) {
	for _, c := range []struct {
		name, command string
		asksList      bool
		prepare       func(*fixture)
	}{
		{"regctl", regctlProgram + " {image}", true, func(*fixture) {}},
		{"testcontainers-go", testcontainersProgram + " {image}", false, func(*fixture) {}},
		{"classic docker build", classicBuild, true, func(f *fixture) {
			f.startEngine()
			f.writeContext(app)
		}},
	} {
		for _, row := range []struct {
			what     string
			prepare  func(*fixture)
			isListed bool // named by list
			isNamed  bool // named in the client's file
		}{
			{"fresh", func(*fixture) {}, false, false},
			{"after another client", func(f *fixture) { f.pull(clientNamed("crane"), app) }, true, false},
			{"a login for the registry", (*fixture).loginAsServicePrincipal, true, false},
			{"a named registry", (*fixture).configureNamed, true, true},
		} {
			t.Run(c.name+"/"+row.what, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t)
				f.useServicePrincipal(clientSecret)
				f.configure(credsStore)
				c.prepare(f)
				row.prepare(f)
				works := row.isNamed || row.isListed && c.asksList
				if out, err := f.try(c.command, app, "", ""); (err == nil) != works {
					t.Errorf("%v\n%s", err, out)
				}
			})
		}
	}
}

// configureNamed names the registry beside a helper for every registry.
func (f *fixture) configureNamed() {
	f.helper("configure", host, "--all-registries", "--client", "docker")
}

// loginAsServicePrincipal stores a login for the registry.
func (f *fixture) loginAsServicePrincipal() {
	f.t.Helper()
	path := f.write(filepath.Join(f.work, "secret"), clientSecret)
	f.helper("login", host, "--service-principal", "--client-id", clientID, "--tenant", f.tenant.ID(),
		"--secret-file", path)
	if err := os.Remove(path); err != nil {
		f.t.Error(err)
	}
}
