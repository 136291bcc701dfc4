package e2e

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestBrowser signs a user in with a real browser. Entra's page, which is https, submits a form to plain http on
// localhost, which browsers may block, and the browser must show the program's last page.
func TestBrowser(t *testing.T) {
	requireTools(t, "chromium")
	for action, want := range map[azuretest.PageAction]struct{ title, printed string }{
		azuretest.SignIn:  {"You are signed in.", host + ": signed in as ada@contoso.example"},
		azuretest.Decline: {"Sign-in failed.", "declined"},
	} {
		t.Run(string(action), func(t *testing.T) {
			f := newFixture(t)
			ada := f.tenant.AddUser("ada@contoso.example")
			f.registry.Grant(ada, azuretest.AcrPull)
			f.cloud.SetBrowserUser(ada, action)
			f.addChromium()
			out, err := f.exec("", program, "login", host, "--browser", "--client-id", "azure-cli")
			if (err == nil) != (action == azuretest.SignIn) || !strings.Contains(out, want.printed) {
				t.Errorf("login: %v\n%s", err, out)
			}
			page := f.waitForFile(filepath.Join(f.work, "page"))
			if !strings.Contains(page, "<h1>"+want.title+"</h1>") {
				t.Errorf("the browser shows %.2000s", page)
			}
			if f.cloud.FindCanary(page) != "" {
				t.Error("the page has a secret")
			}
		})
	}
}

// addChromium makes chromium the user's browser, without a window. It writes the last page to a file. The page's time
// stands still while it loads, so the time budget is no real waiting.
func (f *fixture) addChromium() {
	f.t.Helper()
	block, _ := pem.Decode(f.cloud.CAPEM())
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		f.t.Fatal(err)
	}
	pin := sha256.Sum256(root.RawSubjectPublicKeyInfo)
	// The browser's own requests (for updates, accounts) go nowhere.
	pac := fmt.Sprintf(`function FindProxyForURL(url, host) {
		if (host == %q) return "PROXY %s";
		return host == "localhost" ? "DIRECT" : "PROXY 127.0.0.1:9";
	}`, azuretest.DefaultAuthority, strings.TrimPrefix(f.env["HTTPS_PROXY"], "http://"))
	encode := base64.StdEncoding.EncodeToString
	chromium := []string{
		"chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
		"--user-data-dir=chromium",
		"'--proxy-pac-url=data:application/x-ns-proxy-autoconfig;base64," + encode([]byte(pac)) + "'",
		"'--ignore-certificate-errors-spki-list=" + encode(pin[:]) + "'",
		"--virtual-time-budget=5000", "--dump-dom",
	}
	script := "#!/bin/sh\ncd " + f.work + "; HOME=$PWD " + strings.Join(chromium, " ") + ` "$1" >dump; mv dump page`
	path := f.write(filepath.Join(f.dir("tools"), "xdg-open"), script)
	if err := os.Chmod(path, 0o700); err != nil {
		f.t.Fatal(err)
	}
	f.env["PATH"] = filepath.Dir(path) + ":" + f.env["PATH"]
}

// waitForFile waits until another process has written a file, and returns its content.
func (f *fixture) waitForFile(path string) string {
	f.t.Helper()
	for deadline := time.Now().Add(commandTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if content, err := os.ReadFile(path); err == nil {
			return string(content)
		}
	}
	f.t.Fatalf("waited %v for %s", commandTimeout, path)
	return ""
}
