package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	helpers "github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// keeper is another credential helper, which keeps logins in the file that
// KEEPER names. The test binary is one where it is called so.
const keeper = "docker-credential-keeper"

type keeperFile string

func keep() { credentials.Serve(keeperFile(os.Getenv("KEEPER"))) }

func (k keeperFile) read() map[string]credentials.Credentials {
	all := map[string]credentials.Credentials{}
	if content, err := os.ReadFile(string(k)); err == nil {
		_ = json.Unmarshal(content, &all)
	}
	return all
}

func (k keeperFile) write(all map[string]credentials.Credentials) error {
	content, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return os.WriteFile(string(k), content, 0o600)
}

func (k keeperFile) Add(c *credentials.Credentials) error {
	all := k.read()
	all[c.ServerURL] = *c
	return k.write(all)
}

func (k keeperFile) Delete(server string) error {
	all := k.read()
	delete(all, server)
	return k.write(all)
}

func (k keeperFile) Get(server string) (user, pass string, err error) {
	c, ok := k.read()[server]
	if !ok {
		return "", "", credentials.NewErrCredentialsNotFound()
	}
	return c.Username, c.Secret, nil
}

func (k keeperFile) List() (map[string]string, error) {
	users := map[string]string{}
	for server, c := range k.read() {
		users[server] = c.Username
	}
	return users, nil
}

// delegate has the program hand other registries' logins to the keeper.
func (s *stage) delegate() keeperFile {
	s.t.Helper()
	s.write(filepath.Join(s.home, ".config/docker-credential-acr/config.json"), `{"delegate":"keeper"}`)
	s.env["KEEPER"] = filepath.Join(s.work, "kept")
	return keeperFile(s.env["KEEPER"])
}

// Every client's logins for other registries go through the program to the
// delegate and back, while Azure's stay here.
func TestDelegate(t *testing.T) {
	eachClient(t, func(t *testing.T, s *stage, c client) {
		if c.config == dockerConfig {
			s.configure(credsStore)
		} else {
			delete(s.env, "REGISTRY_AUTH_FILE")
			s.configure(registriesConf)
		}
		kept := s.delegate()
		s.signIn(clientSecret)
		r := s.cloud.AddRegistry(public, s.tenant)
		r.Backend = s.backend
		r.AnonymousPull(true)
		r.AddScopedToken("ci", tokenPassword, map[string][]string{"app": {"pull", "push"}})

		s.pull(c, public+"/other:1")
		s.sentTo(public)
		s.must(c.login, public+"/app:1", "ci", tokenPassword)
		if got := kept.read()[public]; got.Username != "ci" || got.Secret != tokenPassword {
			t.Errorf("the delegate keeps %q for %s", got.Username, public)
		}
		if logins := s.vaultFiles("*-*/*.login"); len(logins) > 0 {
			t.Errorf("%q was stored here", logins)
		}
		s.pull(c, public+"/app:1")
		s.exchanges(0)
		s.pull(c, app)
		s.exchanges(1)
		s.sentTo(public, tokenPassword)
		for server := range kept.read() {
			if strings.Contains(server, "azurecr.io") {
				t.Errorf("the delegate was given %s", server)
			}
		}
		s.must(c.logout, public+"/app:1", "", "")
		if all := kept.read(); len(all) > 0 {
			t.Errorf("after the logout the delegate still keeps %d logins", len(all))
		}
		s.knows(nullGUID)
	})
}

// docker logout erases up to four spellings of a name, whichever was stored.
func TestDockerLogoutsSpellings(t *testing.T) {
	for _, spelling := range []string{public, "https://" + public, "http://" + public} {
		for _, delegated := range []bool{false, true} {
			t.Run(strings.ReplaceAll(spelling, "/", "_"), func(t *testing.T) {
				t.Parallel()
				need(t, "docker")
				s := newStage(t)
				s.configure(credsStore)
				if delegated {
					s.delegate()
				}
				run := s.programFunc()
				if err := helpers.Store(run, &credentials.Credentials{ServerURL: spelling, Username: "ci", Secret: tokenPassword}); err != nil {
					t.Fatal(err)
				}
				if s.list()[spelling] != "ci" {
					t.Errorf("%s is not listed", spelling)
				}
				s.must(clientNamed("docker").logout, public+"/app:1", "", "")
				if left := s.list(); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
			})
		}
	}
}
