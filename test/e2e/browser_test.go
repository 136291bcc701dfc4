package e2e

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/signin"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// azureCLI is an application that every tenant lets people sign in to.
const azureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"

// TestBrowser has a person sign in by a real browser: Entra's page sends it to a
// port of this machine by a form, as https pages send browsers to plain http, and
// what it shows in the end is ours.
func TestBrowser(t *testing.T) {
	need(t, "chromium")
	for _, row := range []struct {
		what, shows string
		prepare     func(*stage, *azuretest.User)
		signedIn    bool
	}{
		{"signs in", "<h1>You are signed in.</h1>", func(s *stage, ada *azuretest.User) { s.cloud.Person(ada, azuretest.SignsIn) }, true},
		{"declines", "<h1>You are not signed in.</h1>", func(s *stage, ada *azuretest.User) { s.cloud.Person(ada, azuretest.Declines) }, false},
		{"is refused by Entra", "<h1>You are not signed in.</h1>", func(s *stage, ada *azuretest.User) {
			s.cloud.Person(ada, azuretest.SignsIn)
			fault := s.cloud.AADSTS(53003)
			s.cloud.Fault(azuretest.DefaultAuthority, "/organizations/oauth2/v2.0/token", fault)
		}, false},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t)
			ada := s.tenant.AddUser("ada@contoso.example")
			row.prepare(s, ada)
			result, page, err := s.signInByBrowser()
			if (err == nil) != row.signedIn || row.signedIn && (result.User != ada.UPN() || result.Access.Value.IsZero()) {
				t.Errorf("%v %+v", err, result)
			}
			if !strings.Contains(page, row.shows) {
				t.Errorf("the browser shows %.2000s", page)
			}
			if s.cloud.FindCanary(page) != "" {
				t.Error("the page holds a secret")
			}
		})
	}
}

// signInByBrowser returns what the browser shows in the end, too.
func (s *stage) signInByBrowser() (signin.Result, string, error) {
	s.t.Helper()
	contoso, err := registry.ParseHost(host)
	if err != nil {
		s.t.Fatal(err)
	}
	transport := s.cloud.Transport()
	defer transport.CloseIdleConnections()
	pages := make(chan string, 1)
	ctx, cancel := context.WithTimeout(s.t.Context(), commandLimit)
	defer cancel()
	client := signin.Client{Transport: transport, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	result, err := client.Browser(ctx, signin.Request{
		ClientID: azureCLI, Cloud: contoso.Cloud(), Audience: registry.Audience,
		Open: func(address string) error {
			go func() {
				pages <- s.chromium(address)
				cancel() // a browser that is gone brings nothing back
			}()
			return nil
		},
	})
	select {
	case page := <-pages:
		return result, page, err
	case <-time.After(commandLimit):
		s.t.Fatalf("no browser came to an end: %v", err)
	}
	return signin.Result{}, "", nil
}

// chromium opens an address and returns the document that it comes to rest at.
// Time in the page runs only while nothing is loading, so the budget is no wait.
func (s *stage) chromium(address string) string {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	block, _ := pem.Decode(s.cloud.CAPEM())
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	pin := sha256.Sum256(root.RawSubjectPublicKeyInfo)
	cmd := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir="+filepath.Join(s.work, "chromium"),
		"--proxy-pac-url=data:application/x-ns-proxy-autoconfig;base64,"+base64.StdEncoding.EncodeToString([]byte(s.pac())),
		"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(pin[:]),
		"--virtual-time-budget=5000", "--dump-dom", address)
	cmd.Env = []string{"PATH=" + searchPath(), "HOME=" + s.work, "TMPDIR=" + s.work}
	out, err := cmd.Output()
	if err != nil {
		s.t.Errorf("chromium: %v", err)
	}
	return string(out)
}

// pac leads the browser to the cloud and to loopback, and what it asks for of its
// own accord (updates, accounts) nowhere.
func (s *stage) pac() string {
	return `function FindProxyForURL(url, host) {
		if (host == "` + azuretest.DefaultAuthority + `") return "PROXY ` + strings.TrimPrefix(s.env["HTTPS_PROXY"], "http://") + `";
		return host == "localhost" ? "DIRECT" : "PROXY 127.0.0.1:9";
	}`
}
