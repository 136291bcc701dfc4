package e2e

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestLoginWithoutUser logs in as the identity of the environment. Docker then stores the credential that the helper
// returned, or the identity token that it got for it. Neither may become a login of its own, because the identity can
// get newer tokens.
func TestLoginWithoutUser(t *testing.T) {
	for name, returnsToken := range map[string]bool{"identity token": true, "no identity token": false} {
		t.Run(name, func(t *testing.T) {
			eachLoginWithoutUser(t, func(t *testing.T, f *fixture, c client) {
				f.startDockerd(returnsToken)
				f.useServicePrincipal(clientSecret)
				f.must(c.loginWithoutUser, app, "", "")
				f.must(c.loginWithoutUser, app, "", "")
				f.pull(c, app)
				f.expectExchanges(1)
				f.expectListed(nullGUID)
				if logins := f.vaultFiles("*-*/*.login"); len(logins) > 0 {
					t.Errorf("the vault has the logins %q", logins)
				}
				if tokens := f.vaultFiles("*-*/*.token"); len(tokens) != 1 {
					t.Errorf("the vault has the tokens %q, not one", tokens)
				}
			})
		})
	}
}

// TestLoginWithoutUser_not_signed_in: the client asks for a user name, and the helper prints why.
func TestLoginWithoutUser_not_signed_in(t *testing.T) {
	eachLoginWithoutUser(t, func(t *testing.T, f *fixture, c client) {
		f.startDockerd(true)
		out, err := f.try(c.loginWithoutUser, app, "", "")
		want := program + ": " + host + ": not signed in. Run: docker-credential-acr login " + host
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("%v, and no reason in:\n%s", err, out)
		}
	})
}

// dockerAndCrane returns an environment for docker, and crane for logins that docker doesn't store as they are: crane
// stores the password itself.
func dockerAndCrane(t *testing.T) (f *fixture, docker, crane client) {
	t.Helper()
	t.Parallel()
	requireTools(t, "docker")
	f = newFixture(t)
	f.configure(dockerConfig)
	f.startDockerd(true)
	return f, clientNamed("docker"), clientNamed("crane")
}

// TestLoginWithoutUser_keeps_service_principal has a stored service principal. docker login then stores a token that it
// got for it; the service principal must stay and get new tokens when that one is gone.
func TestLoginWithoutUser_keeps_service_principal(t *testing.T) {
	f, docker, crane := dockerAndCrane(t)
	f.env["AZURE_TENANT_ID"] = f.tenant.ID()
	f.login(crane, clientID, clientSecret)
	before := f.contents("*-*/*.login")
	f.must(docker.loginWithoutUser, app, "", "")
	if after := f.contents("*-*/*.login"); !slices.EqualFunc(before, after, bytes.Equal) {
		t.Error("docker login HOST has changed the stored login")
	}
	f.expectExchanges(1)
	for _, token := range f.vaultFiles("*-*/*.token") {
		if err := os.Remove(token); err != nil {
			t.Fatal(err)
		}
	}
	f.pull(docker, app)
	f.expectRequests(1, 2)
}

// TestLoginWithoutUser_learns_tenant has a service principal of an unknown tenant, which is in the token that docker
// login stores. From then on the registry no longer receives the secret.
func TestLoginWithoutUser_learns_tenant(t *testing.T) {
	f, docker, crane := dockerAndCrane(t)
	f.login(crane, clientID, clientSecret)
	f.pull(docker, app)
	f.expectExchanges(0)
	f.must(docker.loginWithoutUser, app, "", "")
	f.cloud.Reset()
	f.pull(docker, app)
	f.pull(crane, app)
	f.expectExchanges(1)
	for _, r := range f.cloud.Requests() {
		if r.Host == host && credential(r) == clientSecret {
			t.Errorf("the client secret was sent to %s%s", r.Host, r.Path)
		}
	}
}

// TestLoginWithoutUser_keeps_admin_user has a stored admin user, which docker login stores again.
func TestLoginWithoutUser_keeps_admin_user(t *testing.T) {
	f, docker, crane := dockerAndCrane(t)
	f.registry.SetAdmin("contoso", adminPassword)
	f.login(crane, "contoso", adminPassword)
	f.must(docker.loginWithoutUser, app, "", "")
	f.expectListed("contoso")
	f.pull(docker, app)
	f.expectExchanges(0)
}

// contents reads the vault's files that match a pattern.
func (f *fixture) contents(pattern string) (contents [][]byte) {
	f.t.Helper()
	for _, path := range f.vaultFiles(pattern) {
		content, err := os.ReadFile(path)
		if err != nil {
			f.t.Fatal(err)
		}
		contents = append(contents, content)
	}
	return contents
}
