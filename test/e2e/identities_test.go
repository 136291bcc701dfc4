package e2e

import (
	"testing"
)

// identities are the ways to be somebody for a registry, with what each costs:
// how often the program signs in for a push and two pulls.
var identities = []struct {
	name      string
	prepare   func(*stage) (user, password string) // no user: nothing to log in with
	listed    string                               // as whom list names the registry after a pull
	exchanges int
}{
	{"service principal in the environment", func(s *stage) (user, password string) {
		s.signIn(clientSecret)
		return "", ""
	}, nullGUID, 1},
	{"service principal that logs in", func(s *stage) (user, password string) {
		s.env["AZURE_TENANT_ID"] = s.tenant.ID()
		return clientID, clientSecret
	}, nullGUID, 1},
	// What the client stored is what it gets back: registries take the secret.
	{"service principal of an unknown tenant", func(*stage) (user, password string) {
		return clientID, clientSecret
	}, clientID, 0},
	{"admin user", func(s *stage) (user, password string) {
		s.registry.SetAdmin("contoso", adminPassword)
		return "contoso", adminPassword
	}, "contoso", 0},
	{"scoped token", func(s *stage) (user, password string) {
		s.registry.AddScopedToken("ci", tokenPassword, map[string][]string{"app": {"pull", "push", "metadata_read"}})
		return "ci", tokenPassword
	}, "ci", 0},
	// az acr login runs docker login with these two.
	{"az acr login", func(s *stage) (user, password string) {
		return nullGUID, s.registry.RefreshTokenFor(s.app)
	}, nullGUID, 0},
}

// Whoever one is: login, push, pull, pull again, logout. Then nothing is left,
// and only the environment still opens the registry.
func TestIdentities(t *testing.T) {
	for _, i := range identities {
		t.Run(i.name, func(t *testing.T) {
			eachClient(t, func(t *testing.T, s *stage, c client) {
				user, password := i.prepare(s)
				if user != "" {
					s.login(c, user, password)
				}
				s.push(c)
				s.pull(c, app)
				s.pull(c, app)
				exchanges, listed := i.exchanges, i.listed
				if user == clientID && c.trades {
					exchanges, listed = 0, nullGUID // what was stored is a token already
				}
				s.exchanges(exchanges)
				s.knows(listed)
				if i.name == "scoped token" {
					s.refused(c, other)
				}
				s.logout(c.logout)
				s.knows("")
				if files := s.vaultFiles("*-*/*"); len(files) > 0 {
					t.Errorf("logout left %q", files)
				}
				if user != "" {
					s.refused(c, app)
				}
			})
		})
	}
}
