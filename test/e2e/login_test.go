package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// A login without user asks the helper who to be. Docker stores what it was
// given, or the identity token that it got for it: neither may become a login
// beside the identity that earns better ones.
func TestLoginWithoutUser(t *testing.T) {
	for _, engine := range []struct {
		name  string
		plain bool
	}{{"identity token", false}, {"no identity token", true}} {
		t.Run(engine.name, func(t *testing.T) {
			eachBare(t, func(t *testing.T, s *stage, c client) {
				s.startEngine(engine.plain)
				s.signIn(clientSecret)
				s.must(c.bare, app, "", "")
				s.must(c.bare, app, "", "")
				s.pull(c, app)
				s.exchanges(1)
				s.knows(nullGUID)
				if logins := s.vaultFiles("*-*/*.login"); len(logins) > 0 {
					t.Errorf("the login stored %q", logins)
				}
				if tokens := s.vaultFiles("*-*/*.token"); len(tokens) != 1 {
					t.Errorf("tokens kept: %q, want one", tokens)
				}
			})
		})
	}
}

// With nobody to be, a login without user prompts, and says why.
func TestLoginWithoutUserNobody(t *testing.T) {
	eachBare(t, func(t *testing.T, s *stage, c client) {
		s.startEngine(false)
		out, err := s.try(c.bare, app, "", "")
		if err == nil || !strings.Contains(out, "nobody is signed in for this registry; hint: ") {
			t.Errorf("%v, and no reason in:\n%s", err, out)
		}
	})
}

// dockerAndCrane is for what takes a login that docker itself wouldn't store:
// crane stores passwords as they are.
func dockerAndCrane(t *testing.T) (s *stage, docker, crane client) {
	t.Helper()
	t.Parallel()
	need(t, "docker")
	s = newStage(t)
	s.configure(dockerConfig)
	s.startEngine(false)
	return s, clientNamed("docker"), clientNamed("crane")
}

// docker login stores a token that it got for the stored service principal.
// The service principal stays, and goes on earning tokens when that one is gone.
func TestLoginWithoutUserDisplacesNothing(t *testing.T) {
	s, docker, crane := dockerAndCrane(t)
	s.env["AZURE_TENANT_ID"] = s.tenant.ID()
	s.login(crane, clientID, clientSecret)
	before := s.contents("*-*/*.login")
	s.must(docker.bare, app, "", "")
	if after := s.contents("*-*/*.login"); !slices.EqualFunc(before, after, bytes.Equal) {
		t.Error("docker login HOST has changed the stored login")
	}
	s.exchanges(1)
	for _, token := range s.vaultFiles("*-*/*.token") {
		if err := os.Remove(token); err != nil {
			t.Fatal(err)
		}
	}
	s.pull(docker, app)
	s.exchanges(2)
}

// The token that docker login brings back names the tenant that nobody had
// told: from then on the secret stays at home.
func TestLoginWithoutUserTeachesTenant(t *testing.T) {
	s, docker, crane := dockerAndCrane(t)
	s.login(crane, clientID, clientSecret)
	s.pull(docker, app)
	s.exchanges(0)
	s.must(docker.bare, app, "", "")
	s.cloud.Reset()
	s.pull(docker, app)
	s.pull(crane, app)
	s.exchanges(1)
	for _, r := range s.cloud.Requests() {
		if r.Host == host && credential(r) == clientSecret {
			t.Errorf("the client secret was sent to %s%s", r.Host, r.Path)
		}
	}
}

// The admin user comes back from docker login as the same admin user.
func TestLoginWithoutUserAdmin(t *testing.T) {
	s, docker, crane := dockerAndCrane(t)
	s.registry.SetAdmin("contoso", adminPassword)
	s.login(crane, "contoso", adminPassword)
	s.must(docker.bare, app, "", "")
	s.knows("contoso")
	s.pull(docker, app)
	s.exchanges(0)
}

// A registry that hands docker no identity token leaves it the secret to store.
func TestDockerLoginStoresSecret(t *testing.T) {
	s, docker, _ := dockerAndCrane(t)
	s.env["AZURE_TENANT_ID"] = s.tenant.ID()
	s.cloud.Fault(host, "/oauth2/token", azuretest.Fault{Mutate: withoutRefreshToken})
	s.login(docker, clientID, clientSecret)
	s.cloud.ClearFaults()
	s.pull(docker, app)
	s.pull(docker, app)
	s.exchanges(1)
	s.logout(docker.logout)
	s.refused(docker, app)
}

func withoutRefreshToken(body []byte) []byte {
	var tokens map[string]any
	if json.Unmarshal(body, &tokens) != nil {
		return body
	}
	delete(tokens, "refresh_token")
	body, _ = json.Marshal(tokens)
	return body
}

// contents reads the program's files that match a pattern.
func (s *stage) contents(pattern string) (contents [][]byte) {
	s.t.Helper()
	for _, path := range s.vaultFiles(pattern) {
		content, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		contents = append(contents, content)
	}
	return contents
}
