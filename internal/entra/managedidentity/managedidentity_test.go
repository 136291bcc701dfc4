package managedidentity

import (
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

var quiet = slog.New(slog.DiscardHandler)

// variables are all that MSAL reads.
var variables = []string{
	"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT",
	"MSI_ENDPOINT", "MSI_SECRET", "DEFAULT_IDENTITY_CLIENT_ID",
}

// A computer has two identities, which may pull from a registry. All tests share it, because a cloud takes long to make
// and has one computer only.
type computer struct {
	*azuretest.Cloud
	machine      *azuretest.ManagedIdentityHost
	tenant       *azuretest.Tenant
	system, user *azuretest.ManagedIdentity
}

// shared is a cloud whose clock is nearly a token's life behind, so that to MSAL, whose cache all tests share, every
// token is about to end.
var shared = sync.OnceValue(func() computer {
	cloud, err := azuretest.New()
	if err != nil {
		panic(err)
	}
	cloud.AdvanceClock(4*time.Minute - 24*time.Hour)
	c := computer{Cloud: cloud, tenant: cloud.AddTenant("")}
	c.system, c.user = c.tenant.AddManagedIdentity(""), c.tenant.AddManagedIdentity("builder")
	c.machine = cloud.AddManagedIdentityHost(c.system, c.user)
	r := cloud.AddRegistry("contoso.azurecr.io", c.tenant)
	r.Grant(c.system, azuretest.AcrPull)
	r.Grant(c.user, azuretest.AcrPull)
	return c
})

// A fixture is the computer at the beginning of a test.
type fixture struct {
	computer
	t *testing.T
}

// newFixture prepares the computer for a test, with the variables of an endpoint.
func newFixture(t *testing.T, endpoint identity.Endpoint) fixture {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, "")
	}
	f := fixture{shared(), t}
	f.Reset()
	f.ClearFaults()
	f.machine.Assign(f.system, f.user)
	t.Cleanup(func() {
		if leaks, foreign := f.Leaks(), f.ForeignHosts(); len(leaks)+len(foreign) > 0 {
			t.Errorf("foreign hosts %v, leaks %+v", foreign, leaks)
		}
	})
	f.setenv(endpoint)
	return f
}

func (f fixture) setenv(endpoint identity.Endpoint) {
	f.t.Helper()
	var vars map[string]string
	switch endpoint {
	case identity.AppService:
		vars = f.machine.AppService()
	case identity.ServiceFabric:
		vars = f.machine.ServiceFabric()
	case identity.MachineLearn:
		vars = f.machine.AzureML("")
	case identity.CloudShell:
		vars = f.machine.CloudShell()
	case identity.Arc:
		vars = f.machine.Arc(agentDir(f.t))
	}
	for name, value := range vars {
		f.t.Setenv(name, value)
	}
	exists := func(path string) bool { _, err := os.Stat(path); return err == nil }
	if got := identity.DetectEndpoint(os.Getenv, exists); got != endpoint && endpoint != identity.IMDS {
		f.t.Fatalf("detected %q, not %q", got, endpoint)
	}
}

// agentDir makes the directory in which MSAL lets Azure Arc's agent keep its keys.
func agentDir(t *testing.T) string {
	t.Helper()
	dir, _ := arcKeyDir(runtime.GOOS, os.Getenv)
	if dir == "" || os.Getuid() != 0 {
		t.Skip("only root can make Azure Arc's directory for keys")
	}
	if _, err := os.Stat("/var/opt/azcmagent"); err == nil {
		t.Skip("Azure Arc's agent is installed here")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll("/var/opt/azcmagent") })
	return dir
}

func (f fixture) client() Client {
	transport := f.Transport()
	f.t.Cleanup(transport.CloseIdleConnections)
	return Client{Transport: transport, Getenv: os.Getenv, Now: time.Now, Log: quiet}
}

// identity returns the user-assigned identity by one of its ids, or without an id the computer's own.
func (f fixture) identity(endpoint identity.Endpoint, selector string) identity.Identity {
	id := identity.Identity{Kind: identity.ManagedIdentity, Endpoint: endpoint}
	switch selector {
	case "client":
		id.ClientID = f.user.ClientID()
	case "object":
		id.ObjectID = f.user.ObjectID()
	case "resource":
		id.ResourceID = f.user.ResourceID()
	}
	return id
}

// isAccepted reports whether the registry exchanges a token.
func (f fixture) isAccepted(token string) bool {
	f.t.Helper()
	client := &http.Client{Transport: f.Transport()}
	defer client.CloseIdleConnections()
	resp, err := client.PostForm("https://contoso.azurecr.io/oauth2/exchange", url.Values{
		"grant_type": {"access_token"}, "service": {"contoso.azurecr.io"}, "access_token": {token},
	})
	if err != nil {
		f.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// endpoints has every endpoint, with the requests that it takes and the ids that it can be asked for.
var endpoints = []struct {
	endpoint  identity.Endpoint
	kind      string
	requests  int
	selectors string
}{
	{identity.IMDS, azuretest.KindIMDS, 1, "client object resource"},
	{identity.AppService, azuretest.KindAppService, 1, "client object resource"},
	{identity.ServiceFabric, azuretest.KindServiceFabric, 1, ""},
	{identity.MachineLearn, azuretest.KindAzureML, 1, "client"},
	{identity.CloudShell, azuretest.KindCloudShell, 1, ""},
	{identity.Arc, azuretest.KindArc, 2, "client object resource"},
}

// TestClient_AccessToken selects the identity in every way at every endpoint: the registry accepts the token, or no
// request was sent.
func TestClient_AccessToken(t *testing.T) {
	for _, row := range endpoints {
		for _, selector := range []string{"none", "client", "object", "resource"} {
			t.Run(string(row.endpoint)+"/"+selector, func(t *testing.T) {
				f := newFixture(t, row.endpoint)
				token, err := f.client().AccessToken(t.Context(), f.identity(row.endpoint, selector), registry.Audience)
				if selector != "none" && !strings.Contains(row.selectors, selector) {
					if !fault.Is(err, fault.IdentitySelector, fault.IdentityOnly) || len(f.Requests()) > 0 {
						t.Errorf("%v after %d requests", err, len(f.Requests()))
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if n := f.Seen(row.kind); n != row.requests || len(f.Requests()) != n {
					t.Errorf("%d requests, %d of them to the endpoint", len(f.Requests()), n)
				}
				if left := time.Until(token.Expires); left < time.Minute || left > 5*time.Minute {
					t.Errorf("a token with %v left", left)
				}
				if !f.isAccepted(token.Value.Reveal()) {
					t.Error("the registry refuses the token")
				}
			})
		}
	}
}

// TestClient_AccessToken_of_the_default_identity_of_Azure_ML has its client ID in the environment.
func TestClient_AccessToken_of_the_default_identity_of_Azure_ML(t *testing.T) {
	f := newFixture(t, identity.IMDS)
	f.machine.Assign(f.user)
	for name, value := range f.machine.AzureML(f.user.ClientID()) {
		t.Setenv(name, value)
	}
	id := f.identity(identity.MachineLearn, "none")
	token, err := f.client().AccessToken(t.Context(), id, registry.Audience)
	if err != nil || !f.isAccepted(token.Value.Reveal()) {
		t.Error(err)
	}
}

// TestClient_AccessToken_with_a_custom_transport works everywhere but on Service Fabric.
func TestClient_AccessToken_with_a_custom_transport(t *testing.T) {
	for _, row := range endpoints {
		t.Run(string(row.endpoint), func(t *testing.T) {
			f := newFixture(t, row.endpoint)
			c := f.client()
			c.Transport = transport(c.Transport.RoundTrip)
			_, err := c.AccessToken(t.Context(), f.identity(row.endpoint, "none"), registry.Audience)
			if row.endpoint == identity.ServiceFabric {
				if !fault.Is(err, fault.ServiceFabricTransport) || len(f.Requests()) > 0 {
					t.Error(err)
				}
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// a transport that is a function
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func TestHasNone(t *testing.T) {
	for code, want := range map[fault.Code]bool{
		fault.IMDSAbsent: true, fault.NoManagedIdentity: true, fault.SeveralIdentities: true,
		fault.EndpointOther: false, fault.EndpointUnavailable: false, fault.Timeout: false,
	} {
		if HasNone(fail(identity.IMDS, code, "x")) != want {
			t.Errorf("%s: %v", code, !want)
		}
	}
	if HasNone(nil) {
		t.Error("no error")
	}
}
