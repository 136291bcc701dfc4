package hostile_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
	"github.com/docker-credential-acr/docker-credential-acr/test/hostile"
)

// limit is the promise that a get ends within 30 seconds, and time for a busy machine.
const limit = 40 * time.Second

// maxSent is how much a server may send to one get: all responses together, and what sockets buffer.
const maxSent = 16 << 20

// A party is one of the servers that a get talks to.
type party struct {
	name string
	// isPlain says that it is asked without TLS.
	isPlain bool
	// host is the party's host.
	host string
	// environ are variables that select an identity which asks the party, at this address.
	environ func(f *fixture, address string) []string
}

var parties = []party{
	{name: "registry", host: "contoso.azurecr.io", environ: (*fixture).principal},
	{name: "Microsoft Entra ID", host: "login.microsoftonline.com", environ: (*fixture).principal},
	{name: "App Service", isPlain: true, environ: func(_ *fixture, address string) []string {
		return []string{"IDENTITY_ENDPOINT=http://" + address + "/msi/token", "IDENTITY_HEADER=secret"}
	}},
	{name: "IMDS", isPlain: true, host: "169.254.169.254", environ: func(f *fixture, _ string) []string {
		return []string{"AZURE_CLIENT_ID=" + f.app.ClientID()}
	}},
	{name: "GitHub Actions", host: "issuer.example", environ: func(f *fixture, _ string) []string {
		return []string{
			"AZURE_CLIENT_ID=" + f.app.ClientID(), "AZURE_TENANT_ID=" + f.tenant.ID(),
			"ACTIONS_ID_TOKEN_REQUEST_URL=https://issuer.example/token?x=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=secret",
		}
	}},
	{name: "token proxy", host: "proxy.example", environ: func(f *fixture, _ string) []string {
		return []string{
			"AZURE_CLIENT_ID=" + f.app.ClientID(), "AZURE_TENANT_ID=" + f.tenant.ID(), "AZURE_FEDERATED_TOKEN_FILE=" + f.tokenFile,
			"AZURE_KUBERNETES_TOKEN_PROXY=https://proxy.example",
		}
	}},
	{name: "HTTP proxy", isPlain: true, environ: (*fixture).principal},
}

// fixture is what all gets share: a fake Azure for every party that isn't hostile.
type fixture struct {
	cloud     *azuretest.Cloud
	tenant    *azuretest.Tenant
	app       *azuretest.ServicePrincipal
	tokenFile string
}

func (f *fixture) principal(string) []string {
	return []string{
		"AZURE_CLIENT_ID=" + f.app.ClientID(), "AZURE_TENANT_ID=" + f.tenant.ID(), "AZURE_CLIENT_SECRET=s3cret-value",
	}
}

// transport sends what is for the party to the hostile server, and everything else to the fake Azure.
func (f *fixture) transport(p party, s *hostile.Server) *http.Transport {
	t := f.cloud.Transport()
	toCloud := t.DialContext
	t.ForceAttemptHTTP2 = true
	isParty := func(addr string) bool {
		host, _, _ := net.SplitHostPort(addr)
		return host == p.host || addr == s.Plain
	}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if isParty(addr) {
			return new(net.Dialer).DialContext(ctx, network, s.Plain)
		}
		return toCloud(ctx, network, addr)
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(addr)
		config := &tls.Config{ServerName: host, RootCAs: t.TLSClientConfig.RootCAs}
		dial := func() (net.Conn, error) { return toCloud(ctx, network, addr) }
		if isParty(addr) {
			config = &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}}
			dial = func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, network, s.TLS) }
		}
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		return secure, nil
	}
	t.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil } // like that of a program without proxy variables
	if p.name == "HTTP proxy" {
		t.DialTLSContext = nil // or it is used instead of the proxy
		t.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: s.Plain})
	}
	return t
}

// TestGet has each party of a get misbehave in each way. Every get ends in time with one sentence, which quotes nothing of
// what the server sent, and reads no more than it should.
func TestGet(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	cloud := azuretest.Start(t)
	f := &fixture{cloud: cloud, tenant: cloud.AddTenant("")}
	f.app = f.tenant.AddServicePrincipal("", "s3cret-value")
	issuer := cloud.AddIssuer("https://issuer.contoso.com")
	f.app.AddFederatedCredential(issuer.URL(), "job", "api://AzureADTokenExchange")
	cloud.AddRegistry("contoso.azurecr.io", f.tenant).Grant(f.app, azuretest.AcrPull)
	f.tokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(f.tokenFile, []byte(issuer.Token("job", "api://AzureADTokenExchange", time.Hour)), 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	var all sync.WaitGroup
	for _, p := range parties {
		for _, b := range hostile.Behaviors() {
			if p.isPlain && (b.SilentTLS || b.Handler != nil) {
				continue
			}
			all.Go(func() { f.get(t, p, b, home) })
		}
	}
	all.Wait()
	for _, request := range cloud.Leaks() {
		t.Errorf("a secret was sent to %s", request.Host)
	}
}

func (f *fixture) get(t *testing.T, p party, b hostile.Behavior, home string) {
	name := p.name + ", " + b.Name
	server, err := hostile.Start(b)
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return
	}
	defer server.Close()
	environ := append(p.environ(f, server.Plain), "DOCKER_CREDENTIAL_ACR_HOME="+home, "DOCKER_CREDENTIAL_ACR_KEYRING=none")
	helper := credhelper.New(
		credhelper.WithTransport(f.transport(p, server)), credhelper.WithEnvironment(environ),
		credhelper.WithAzureVMDetector(func() bool { return true }),
	)
	type result struct {
		secret string
		err    error
	}
	results := make(chan result, 1)
	go func() {
		_, secret, err := helper.Get("contoso.azurecr.io")
		results <- result{secret, err}
	}()
	select {
	case r := <-results:
		switch {
		case r.err == nil:
			t.Errorf("%s: it succeeds with a secret of %d bytes", name, len(r.secret))
		case strings.Contains(r.err.Error(), hostile.Marker), strings.Contains(r.err.Error(), "\n"),
			!strings.HasPrefix(r.err.Error(), "contoso.azurecr.io: "):
			t.Errorf("%s: %v", name, r.err)
		}
	case <-time.After(limit):
		t.Errorf("%s: it does not end", name)
	}
	if sent := server.Sent.Load(); sent > maxSent {
		t.Errorf("%s: the server sent %d bytes", name, sent)
	}
}
