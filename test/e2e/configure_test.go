package e2e

import (
	"encoding/base64"
	"path/filepath"
	"slices"
	"testing"
)

// TestConfigure proves that clients use the helper after configure and no longer after unconfigure. Podman, Skopeo and
// Buildah read Docker's file, too.
func TestConfigure(t *testing.T) {
	eachUnconfigured(t, func(_ *testing.T, f *fixture, c client) {
		f.useServicePrincipal(clientSecret)
		f.expectRefusal(c, app)
		f.expectExchanges(0)
		for _, name := range slices.Compact([]string{"docker", c.configureName()}) {
			f.helper("configure", host, "--client", name)
			f.pull(c, app)
			f.expectExchanges(1)
			f.helper("unconfigure", "--client", name)
			f.expectRefusal(c, app)
		}
	})
}

// TestConfigure_all_registries proves that the helper then stores other registries' logins, too.
func TestConfigure_all_registries(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, f *fixture, c client) {
		f.helper("configure", "--all-registries", "--client", c.configureName())
		f.addOtherRegistry()
		f.must(c.login, otherHost+"/app:1", "ci", tokenPassword)
		f.pull(c, otherHost+"/app:1")
		if got := f.list()[otherHost]; got != "ci" {
			t.Errorf("list has %q for %s, not ci", got, otherHost)
		}
		f.useServicePrincipal(clientSecret)
		f.pull(c, app)
		f.expectExchanges(1)
		f.helper("unconfigure", "--client", c.configureName())
		f.expectRefusal(c, app)
	})
}

// TestConfigure_moves_only_login_to_vault has a client with a plaintext password and no other login, which must still
// work afterwards.
func TestConfigure_moves_only_login_to_vault(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, f *fixture, c client) {
		if c.storesToken {
			t.Skip("docker login stores a token that expires, not the password")
		}
		f.registry.SetAdmin("contoso", adminPassword)
		f.login(c, "contoso", adminPassword)
		f.helper("configure", host, "--client", c.configureName(), "--migrate-plaintext")
		f.pull(c, app)
		f.expectListed("contoso")
	})
}

// TestConfigure_removes_login_that_hides_helper has a plaintext login of Podman's, which Podman uses instead of the
// helper until it is removed.
func TestConfigure_removes_login_that_hides_helper(t *testing.T) {
	eachUnconfigured(t, func(t *testing.T, f *fixture, c client) {
		if c.configureName() != "podman" {
			t.Skip("only Podman, Skopeo and Buildah have a file that they read first")
		}
		f.registry.SetAdmin("contoso", adminPassword)
		f.login(c, "contoso", adminPassword)
		f.useServicePrincipal(clientSecret)
		f.helper("configure", host, "--client", "podman")
		f.pull(c, app)
		f.expectExchanges(0)
		f.helper("configure", host, "--client", "podman", "--migrate-plaintext")
		f.pull(c, app)
		f.expectExchanges(1)
	})
}

// TestConfigure_keeps_login_for_docker_and_podman has a login in Docker's file, which Podman reads, too. Both must
// still work after each of them was configured for every registry.
func TestConfigure_keeps_login_for_docker_and_podman(t *testing.T) {
	requireTools(t, "docker", "skopeo")
	f := newFixture(t)
	f.registry.SetAdmin("contoso", adminPassword)
	login := base64.StdEncoding.EncodeToString([]byte("contoso:" + adminPassword))
	f.write(filepath.Join(f.home, ".docker/config.json"), `{"auths": {"`+host+`": {"auth": "`+login+`"}}}`)
	pullBoth := func() {
		t.Helper()
		f.pull(clientNamed("docker"), app)
		f.pull(clientNamed("skopeo"), app)
	}
	pullBoth()
	f.helper("configure", "--all-registries", "--client", "docker", "--migrate-plaintext")
	pullBoth()
	f.helper("configure", "--all-registries", "--migrate-plaintext")
	pullBoth()
	f.expectListed("contoso")
}
