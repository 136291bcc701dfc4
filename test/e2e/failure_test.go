package e2e

import (
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// What the program prints about a wrong secret: the error, on both outputs, and the advice, on standard error.
const (
	wrongSecret = host + ": signing in as service principal " + clientID +
		": the client secret is wrong (AADSTS7000215, correlation ID "
	secretAdvice = "). Check AZURE_CLIENT_SECRET: it must be the secret's value, not its ID\n"
)

// TestWrongSecret proves that every client shows the error and the advice, and that Entra receives one request, however
// often the client runs the helper.
func TestWrongSecret(t *testing.T) {
	eachClient(t, func(t *testing.T, f *fixture, c client) {
		f.useServicePrincipal("wrong~secret")
		wants := []string{program + ": " + wrongSecret, secretAdvice}
		if c.printsStdout {
			wants = append(wants, "error getting credentials - err: exit status 1, out: `"+wrongSecret)
		}
		for _, lines := range []string{c.pull, c.loginWithoutUser} {
			if lines == "" {
				continue
			}
			out, err := f.try(lines, app, "", "")
			if err == nil {
				t.Errorf("%s succeeded with a wrong secret", lines)
			}
			for _, want := range wants {
				if !strings.Contains(out, want) {
					t.Errorf("%s does not print %q:\n%s", lines, want, out)
				}
			}
		}
		if got := f.cloud.Seen(azuretest.KindEntraToken); got != 1 {
			t.Errorf("Entra received %d requests", got)
		}
	})
}

// TestNoRootCertificates runs the shipped program as an empty container image would.
func TestNoRootCertificates(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.useServicePrincipal(clientSecret)
	f.env["SSL_CERT_FILE"], f.env["SSL_CERT_DIR"] = f.write(filepath.Join(f.work, "empty.pem"), ""), f.dir("certs")
	out, err := f.get(host)
	if err == nil || !strings.Contains(out, "login.microsoftonline.com can't be verified: no trusted root certificates are installed") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestProxyVariable proves that the shipped program sends nothing around a proxy whose variable is wrong, and uses one
// that only has the line break of a Windows file at its end.
func TestProxyVariable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.useServicePrincipal(clientSecret)
	proxy := f.env["HTTPS_PROXY"]
	f.env["HTTPS_PROXY"] = strings.Replace(proxy, "http://", "http://ada:p4ssw%G4g@", 1)
	out, err := f.get(host)
	if err == nil || !strings.Contains(out, ": HTTPS_PROXY is not a valid proxy URL") || strings.Contains(out, "p4ssw") {
		t.Errorf("%v\n%s", err, out)
	}
	f.env["HTTPS_PROXY"] = proxy + "\r"
	if out, err := f.get(host); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestAnonymousPull proves that clients continue without a login: a registry with anonymous pull accepts them.
func TestAnonymousPull(t *testing.T) {
	eachClient(t, func(_ *testing.T, f *fixture, c client) {
		f.expectRefusal(c, app)
		f.registry.AnonymousPull(true)
		f.pull(c, app)
		f.expectExchanges(0)
	})
}

// TestParallelPulls proves that different clients, started at once without a cached token, sign in once. (The tests of
// keyrings do the same with each client.)
func TestParallelPulls(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.configure(dockerConfig)
	f.useServicePrincipal(clientSecret)
	for _, c := range clients {
		requireTools(t, c.name)
	}
	f.pullInParallel(clients...)
	f.expectExchanges(1)
}

// pullInParallel starts six pulls at once, as docker compose pull does.
func (f *fixture) pullInParallel(clients ...client) {
	f.t.Helper()
	var all sync.WaitGroup
	for i := range 6 {
		c := clients[i%len(clients)]
		all.Go(func() {
			if out, err := f.try(c.pull, app, "", ""); err != nil {
				f.t.Errorf("%s: %v\n%s", c.pull, err, out)
			}
		})
	}
	all.Wait()
}
