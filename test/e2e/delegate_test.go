package e2e

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	helpers "github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// delegateProgram is another credential helper, which stores logins in a plain file. This test binary acts as it when
// run under this name.
const (
	delegateProgram = "docker-credential-plain"
	delegateFileVar = "DELEGATE_FILE"
)

// delegateFile is the path of the delegate's file.
type delegateFile string

func serveDelegate() { credentials.Serve(delegateFile(os.Getenv(delegateFileVar))) }

func (d delegateFile) read() map[string]credentials.Credentials {
	all := map[string]credentials.Credentials{}
	if content, err := os.ReadFile(string(d)); err == nil {
		_ = json.Unmarshal(content, &all)
	}
	return all
}

func (d delegateFile) write(all map[string]credentials.Credentials) error {
	content, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(string(d), content, 0o600)
}

func (d delegateFile) Add(c *credentials.Credentials) error {
	all := d.read()
	all[c.ServerURL] = *c
	return d.write(all)
}

func (d delegateFile) Delete(server string) error {
	all := d.read()
	delete(all, server)
	return d.write(all)
}

func (d delegateFile) Get(server string) (user, password string, err error) {
	c, ok := d.read()[server]
	if !ok {
		return "", "", credentials.NewErrCredentialsNotFound()
	}
	return c.Username, c.Secret, nil
}

func (d delegateFile) List() (map[string]string, error) {
	users := map[string]string{}
	for server, c := range d.read() {
		users[server] = c.Username
	}
	return users, nil
}

// addDelegate names the delegate in the program's config file.
func (f *fixture) addDelegate() delegateFile {
	f.t.Helper()
	f.write(filepath.Join(f.home, ".config", program, "config.json"), `{"delegate":"plain"}`)
	f.env[delegateFileVar] = filepath.Join(f.work, "delegate-logins")
	return delegateFile(f.env[delegateFileVar])
}

// TestDelegate has the delegate store other registries' logins, while those of Azure registries are stored in the
// vault.
func TestDelegate(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, f *fixture, c client) {
		f.configureAllRegistries(c)
		delegate := f.addDelegate()
		f.useOtherRegistry(c, func() {
			if got := delegate.read()[otherHost]; got.Username != "ci" || got.Secret != tokenPassword {
				t.Errorf("the delegate has %q for %s", got.Username, otherHost)
			}
			if logins := f.vaultFiles("*-*/*.login"); len(logins) > 0 {
				t.Errorf("the vault has %q", logins)
			}
		}, func() {
			if all := delegate.read(); len(all) > 0 {
				t.Errorf("after logout, the delegate has logins for %q", slices.Collect(maps.Keys(all)))
			}
		})
	})
}

// TestDockerLogout_erases_every_spelling: docker logout erases up to four spellings of a server, and one is stored.
func TestDockerLogout_erases_every_spelling(t *testing.T) {
	for _, spelling := range []string{otherHost, "https://" + otherHost, "http://" + otherHost} {
		for name, delegated := range map[string]bool{"vault": false, "delegate": true} {
			t.Run(name+" "+strings.ReplaceAll(spelling, "/", "_"), func(t *testing.T) {
				t.Parallel()
				requireTools(t, "docker")
				f := newFixture(t)
				f.configure(credsStore)
				if delegated {
					f.addDelegate()
				}
				login := &credentials.Credentials{ServerURL: spelling, Username: "ci", Secret: tokenPassword}
				if err := helpers.Store(f.programFunc(), login); err != nil {
					t.Fatal(err)
				}
				if f.list()[spelling] != "ci" {
					t.Errorf("%s is not listed", spelling)
				}
				f.must(clientNamed("docker").logout, otherHost+"/app:1", "", "")
				if users := f.list(); len(users) > 0 {
					t.Errorf("after logout, list has %q", users)
				}
			})
		}
	}
}
