package e2e

import (
	"net/http"
	"slices"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// podman, skopeo and buildah find the helper in three files, and log in and out
// through each. Without a REGISTRY, logout asks the helper for its list.
func TestConfigFiles(t *testing.T) {
	for _, file := range []configFile{dockerConfig, containersAuth, registriesConf} {
		for _, name := range []string{"podman", "skopeo", "buildah"} {
			t.Run(string(file)+"/"+name, func(t *testing.T) {
				t.Parallel()
				need(t, name)
				s, c := newStage(t), clientNamed(name)
				s.configure(file)
				s.env["AZURE_TENANT_ID"] = s.tenant.ID()
				for _, logout := range []string{c.logout, c.logoutAll} {
					s.cloud.Reset()
					s.login(c, clientID, clientSecret)
					s.push(c)
					s.pull(c, pushed)
					s.pull(c, app)
					s.exchanges(1)
					s.logout(logout)
					s.knows("")
					s.refused(c, app)
				}
			})
		}
	}
}

// Asked about every registry there is, the helper keeps other registries'
// logins as they are, knows nothing of those without, and tells Azure nothing.
func TestOtherRegistries(t *testing.T) {
	eachClient(t, func(t *testing.T, s *stage, c client) {
		if c.config == dockerConfig {
			s.configure(credsStore)
		} else {
			delete(s.env, "REGISTRY_AUTH_FILE")
			s.configure(registriesConf)
		}
		s.signIn(clientSecret)
		r := s.cloud.AddRegistry(public, s.tenant)
		r.Backend = s.backend
		r.AnonymousPull(true)
		r.AddScopedToken("ci", tokenPassword, map[string][]string{"app": {"pull", "push"}})

		s.pull(c, public+"/other:1")
		s.exchanges(0)
		s.sentTo(public)
		s.must(c.login, public+"/app:1", "ci", tokenPassword)
		s.pull(c, public+"/app:1")
		s.exchanges(0)
		s.pull(c, app)
		s.exchanges(1)
		s.sentTo(public, tokenPassword)
		if got := s.list()[public]; got != "ci" {
			t.Errorf("list names %q for %s, not ci", got, public)
		}
		s.must(c.logout, public+"/app:1", "", "")
		s.knows(nullGUID)
		s.pull(c, public+"/other:1")

		s.strangers = []string{"nowhere.example"}
		s.refused(c, "nowhere.example/app:1")
	})
}

// sentTo demands that a host was sent no credentials but the allowed ones.
func (s *stage) sentTo(host string, allowed ...string) {
	s.t.Helper()
	for _, r := range s.cloud.Requests() {
		if c := credential(r); r.Host == host && c != "" && !slices.Contains(allowed, c) {
			s.t.Errorf("%s %s%s was sent a credential of somebody else", r.Method, host, r.Path)
		}
	}
}

// credential is the password or refresh token in a request for a token.
func credential(r azuretest.Request) string {
	basic := http.Request{Header: r.Header}
	if _, password, ok := basic.BasicAuth(); ok {
		return password
	}
	return r.Form.Get("password") + r.Form.Get("refresh_token") + r.Form.Get("client_secret")
}
