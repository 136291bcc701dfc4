package e2e

import (
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestConfigFiles names the helper in each of the three files that Podman, Skopeo and Buildah read, logs in and out.
// Logout without a registry uses the helper's list.
func TestConfigFiles(t *testing.T) {
	for _, file := range []configFile{dockerConfig, containersAuth, registriesConf} {
		for _, name := range []string{"podman", "skopeo", "buildah"} {
			t.Run(string(file)+"/"+name, func(t *testing.T) {
				t.Parallel()
				requireTools(t, name)
				f, c := newFixture(t), clientNamed(name)
				f.configure(file)
				f.env["AZURE_TENANT_ID"] = f.tenant.ID()
				for _, logout := range []string{c.logout, c.logoutAll} {
					f.cloud.Reset()
					f.login(c, clientID, clientSecret)
					f.push(c)
					f.pull(c, pushed)
					f.pull(c, app)
					f.expectExchanges(1)
					f.logout(logout)
					f.expectListed("")
					f.expectRefusal(c, app)
				}
			})
		}
	}
}

// TestOtherRegistries configures the helper for every registry: it stores other registries' logins, returns nothing for
// registries without a login, and requests nothing from Azure for them.
func TestOtherRegistries(t *testing.T) {
	eachUnconfigured(t, func(_ *testing.T, f *fixture, c client) {
		f.configureAllRegistries(c)
		f.useOtherRegistry(c, func() {}, func() {})
		f.pull(c, otherHost+"/other:1")

		f.allowedHosts = []string{"nowhere.example"}
		f.expectRefusal(c, "nowhere.example/app:1")
	})
}

// addOtherRegistry adds a registry that is not Azure's, with a user ci.
func (f *fixture) addOtherRegistry() *azuretest.Registry {
	r := f.cloud.AddRegistry(otherHost, f.tenant)
	r.Backend = f.backend
	r.AddScopedToken("ci", tokenPassword, map[string][]string{"app": {"pull", "push"}})
	return r
}

// useOtherRegistry pulls from another registry, anonymously and then with a login, and from the Azure registry. It
// calls loggedIn after the login and loggedOut after the logout.
func (f *fixture) useOtherRegistry(c client, loggedIn, loggedOut func()) {
	f.t.Helper()
	f.useServicePrincipal(clientSecret)
	f.addOtherRegistry().AnonymousPull(true)
	f.pull(c, otherHost+"/other:1")
	f.expectExchanges(0)
	f.expectSent(otherHost)
	f.must(c.login, otherHost+"/app:1", "ci", tokenPassword)
	loggedIn()
	f.pull(c, otherHost+"/app:1")
	f.expectExchanges(0)
	f.pull(c, app)
	f.expectExchanges(1)
	f.expectSent(otherHost, tokenPassword)
	if got := f.list()[otherHost]; got != "ci" {
		f.t.Errorf("list has %q for %s, not ci", got, otherHost)
	}
	f.must(c.logout, otherHost+"/app:1", "", "")
	loggedOut()
	f.expectListed(nullGUID)
}
