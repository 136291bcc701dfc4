package e2e

import (
	"slices"
	"strings"
	"testing"
)

// identities are what clients can sign in with.
var identities = []struct {
	name      string
	prepare   func(*fixture) (user, password string) // user is "" if there is no login
	listed    string                                 // the user in list after a pull
	exchanges int                                    // during a push and two pulls
}{
	{"service principal in the environment", func(f *fixture) (user, password string) {
		f.useServicePrincipal(clientSecret)
		return "", ""
	}, nullGUID, 1},
	{"service principal that logs in", func(f *fixture) (user, password string) {
		f.env["AZURE_TENANT_ID"] = f.tenant.ID()
		return clientID, clientSecret
	}, nullGUID, 1},
	// The client gets back what it stored: registries accept the client secret.
	{"service principal of an unknown tenant", func(*fixture) (user, password string) {
		return clientID, clientSecret
	}, clientID, 0},
	{"admin user", func(f *fixture) (user, password string) {
		f.registry.SetAdmin("contoso", adminPassword)
		return "contoso", adminPassword
	}, "contoso", 0},
	{"scoped token", func(f *fixture) (user, password string) {
		permissions := map[string][]string{"app": {"pull", "push", "metadata_read"}}
		f.registry.AddScopedToken("ci", tokenPassword, permissions)
		return "ci", tokenPassword
	}, "ci", 0},
	// az acr login passes these to docker login.
	{"az acr login", func(f *fixture) (user, password string) {
		return nullGUID, f.registry.RefreshTokenFor(f.app)
	}, nullGUID, 0},
}

// TestIdentities logs in, pushes, pulls twice and logs out. Then nothing is stored, and only the identity of the
// environment still has access.
func TestIdentities(t *testing.T) {
	for _, i := range identities {
		t.Run(i.name, func(t *testing.T) {
			eachClient(t, func(t *testing.T, f *fixture, c client) {
				user, password := i.prepare(f)
				if user != "" {
					f.login(c, user, password)
				}
				f.push(c)
				f.pull(c, app)
				f.pull(c, app)
				exchanges, listed := i.exchanges, i.listed
				if user == clientID && c.storesToken {
					exchanges, listed = 0, nullGUID // docker has exchanged the secret itself
				}
				f.expectExchanges(exchanges)
				f.expectListed(listed)
				if i.name == "scoped token" {
					f.expectRefusal(c, other)
				}
				f.logout(c.logout)
				after := ""
				if i.name == "service principal in the environment" {
					after = nullGUID
				}
				f.expectListed(after)
				stored := slices.DeleteFunc(f.vaultFiles("*-*/*"), func(name string) bool {
					return after != "" && strings.HasSuffix(name, ".access") // the identity is still there
				})
				if len(stored) > 0 {
					t.Errorf("after logout, the vault has %q", stored)
				}
				if user != "" {
					f.expectRefusal(c, app)
				}
			})
		})
	}
}
