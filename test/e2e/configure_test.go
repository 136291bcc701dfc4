package e2e

import (
	"encoding/base64"
	"path/filepath"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// family is the --client whose files a client reads.
func (c client) family() string {
	if c.config == dockerConfig {
		return "docker"
	}
	return "podman"
}

// own runs one of the program's own commands.
func (s *stage) own(args ...string) {
	s.t.Helper()
	if out, err := s.exec("", append([]string{program}, args...)...); err != nil {
		s.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

// eachUnconfigured runs a test once for every client, none of which knows the helper.
func eachUnconfigured(t *testing.T, test func(*testing.T, *stage, client)) {
	for _, c := range clients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			need(t, c.name)
			test(t, newStage(t), c)
		})
	}
}

// What configure writes is what makes a client ask, and what unconfigure takes out
// was all of it.
func TestConfigure(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, s *stage, c client) {
		s.signIn(clientSecret)
		s.refused(c, app)
		s.exchanges(0)
		s.own("configure", host, "--client", c.family())
		s.pull(c, app)
		s.exchanges(1)
		s.own("unconfigure", "--client", c.family())
		s.refused(c, app)
	})
}

// Podman and its like also read what was written for Docker.
func TestConfigureDockerForPodman(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, s *stage, c client) {
		s.signIn(clientSecret)
		s.own("configure", host, "--client", "docker")
		s.pull(c, app)
		s.exchanges(1)
	})
}

// With --all-registries other registries' logins are kept, too.
func TestConfigureAllRegistries(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, s *stage, c client) {
		s.own("configure", "--all-registries", "--client", c.family())
		r := s.cloud.AddRegistry(public, s.tenant)
		r.Backend = s.backend
		r.AddScopedToken("ci", tokenPassword, map[string][]string{"app": {"pull"}})
		s.must(c.login, public+"/app:1", "ci", tokenPassword)
		s.pull(c, public+"/app:1")
		if got := s.list()[public]; got != "ci" {
			t.Errorf("list names %q for %s, not ci", got, public)
		}
		s.signIn(clientSecret)
		s.pull(c, app)
		s.exchanges(1)
		s.own("unconfigure", "--client", c.family())
		s.refused(c, app)
	})
}

// A password in clear that may be all that opens the registry goes on opening it.
func TestConfigureKeepsPasswords(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, s *stage, c client) {
		if c.trades {
			t.Skip("what docker login leaves is a token, which ends by itself")
		}
		s.registry.SetAdmin("contoso", adminPassword)
		s.login(c, "contoso", adminPassword)
		s.own("configure", host, "--client", c.family(), "--remove-leftovers")
		s.pull(c, app)
		if got := s.list()[host]; got != "contoso" {
			t.Errorf("list names %q, not contoso", got)
		}
	})
}

// A login in clear that podman login left wins, until it is removed.
func TestConfigureLeftovers(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, s *stage, c client) {
		if c.family() != "podman" {
			t.Skip("only Podman and its like have a file that comes first")
		}
		s.registry.SetAdmin("contoso", adminPassword)
		s.login(c, "contoso", adminPassword)
		s.signIn(clientSecret)
		s.own("configure", host, "--client", "podman")
		s.pull(c, app)
		if s.cloud.Seen(azuretest.KindExchange) != 0 {
			t.Fatal("the leftover doesn't win: nobody need be told of it")
		}
		s.own("configure", host, "--client", "podman", "--remove-leftovers")
		s.pull(c, app)
		s.exchanges(1)
	})
}

// What a login in Docker's file opened for Docker and for Podman it goes on opening for
// both, whichever of them is configured for every registry first.
func TestConfigureTakesFromNobody(t *testing.T) {
	need(t, "docker", "skopeo")
	s := newStage(t)
	s.registry.SetAdmin("contoso", adminPassword)
	login := base64.StdEncoding.EncodeToString([]byte("contoso:" + adminPassword))
	s.write(filepath.Join(s.home, ".docker/config.json"), `{"auths": {"`+host+`": {"auth": "`+login+`"}}}`)
	both := func() {
		t.Helper()
		s.pull(clientNamed("docker"), app)
		s.pull(clientNamed("skopeo"), app)
	}
	both()
	s.own("configure", "--all-registries", "--client", "docker", "--remove-leftovers")
	both()
	s.own("configure", "--all-registries", "--remove-leftovers")
	both()
	s.knows("contoso")
}
