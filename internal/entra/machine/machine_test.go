package machine

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

var quiet = slog.New(slog.DiscardHandler)

// A stage is a machine in a cloud, with a registry that lets both of its
// identities pull.
type stage struct {
	*azuretest.Cloud
	t            *testing.T
	tenant       *azuretest.Tenant
	machine      *azuretest.Machine
	system, user *azuretest.ManagedIdentity
}

// variables are all that MSAL looks at.
var variables = []string{
	"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT",
	"MSI_ENDPOINT", "MSI_SECRET", "DEFAULT_IDENTITY_CLIENT_ID",
}

// newStage makes a cloud. Its clock is nearly a token's life behind, so that to
// MSAL, whose cache all tests share, every token is about to end.
func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{Cloud: azuretest.Start(t)}
	s.AdvanceClock(4*time.Minute - 24*time.Hour)
	s.tenant = s.AddTenant("")
	s.system, s.user = s.tenant.AddManagedIdentity(""), s.tenant.AddManagedIdentity("builder")
	s.machine = s.AddMachine(s.system, s.user)
	r := s.AddRegistry("contoso.azurecr.io", s.tenant)
	r.Grant(s.system, azuretest.AcrPull)
	r.Grant(s.user, azuretest.AcrPull)
	return s
}

// enter begins a test on the stage, with everything in its place again and an
// environment that names no endpoint.
func (s *stage) enter(t *testing.T) *stage {
	t.Helper()
	for _, name := range variables {
		t.Setenv(name, "")
	}
	s.Reset()
	s.ClearFaults()
	s.machine.Assign(s.system, s.user)
	s.t = t
	t.Cleanup(func() {
		if leaks, foreign := s.Leaks(), s.ForeignHosts(); len(leaks)+len(foreign) > 0 {
			t.Errorf("foreign hosts %v, leaks %+v", foreign, leaks)
		}
	})
	return s
}

func (s *stage) client() Client {
	t := s.Transport()
	s.t.Cleanup(t.CloseIdleConnections)
	return Client{Transport: t, Getenv: os.Getenv, Now: time.Now, Log: quiet}
}

// hosts enters a host of Azure's, which its variables make.
func (s *stage) hosts(e identity.Endpoint) {
	s.t.Helper()
	var vars map[string]string
	switch e {
	case identity.AppService:
		vars = s.machine.AppService()
	case identity.ServiceFabric:
		vars = s.machine.ServiceFabric()
	case identity.MachineLearn:
		vars = s.machine.AzureML("")
	case identity.CloudShell:
		vars = s.machine.CloudShell()
	case identity.Arc:
		vars = s.machine.Arc(agentDir(s.t))
	}
	for name, value := range vars {
		s.t.Setenv(name, value)
	}
	if got := Detect(os.Getenv); got != e && e != identity.IMDS {
		s.t.Fatalf("detected %q, not %q", got, e)
	}
}

// agentDir makes the directory in which MSAL lets Azure Arc's agent keep its keys.
func agentDir(t *testing.T) string {
	t.Helper()
	dir, _ := keyDir(runtime.GOOS, os.Getenv)
	if dir == "" || os.Getuid() != 0 {
		t.Skip("Azure Arc's directory for keys is root's")
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

// exchange says whether the registry accepts a token.
func (s *stage) exchange(token string) bool {
	s.t.Helper()
	client := &http.Client{Transport: s.Transport()}
	defer client.CloseIdleConnections()
	resp, err := client.PostForm("https://contoso.azurecr.io/oauth2/exchange",
		url.Values{"grant_type": {"access_token"}, "service": {"contoso.azurecr.io"}, "access_token": {token}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode == http.StatusOK && strings.Contains(string(body), "refresh_token")
}

// allEndpoints are the ways, with the kind of request that the cloud sees.
var allEndpoints = []struct {
	endpoint  identity.Endpoint
	kind      string
	requests  int
	selectors string
}{
	{identity.IMDS, azuretest.KindIMDS, 2, "client object resource"},
	{identity.AppService, azuretest.KindAppService, 1, "client object resource"},
	{identity.ServiceFabric, azuretest.KindServiceFabric, 1, ""},
	{identity.MachineLearn, azuretest.KindAzureML, 1, "client"},
	{identity.CloudShell, azuretest.KindCloudShell, 1, ""},
	{identity.Arc, azuretest.KindArc, 2, "client object resource"},
}

// chosen is the stage's user-assigned identity, called in one of three ways, or
// the machine's own.
func (s *stage) chosen(e identity.Endpoint, by string) identity.Identity {
	id := identity.Identity{Kind: identity.ManagedIdentity, Endpoint: e}
	switch by {
	case "client":
		id.ClientID = s.user.ClientID()
	case "object":
		id.ObjectID = s.user.ObjectID()
	case "resource":
		id.ResourceID = s.user.ResourceID()
	}
	return id
}

// TestEveryEndpoint goes through Azure's hosts and the ways to choose an
// identity: the registry takes the token, or nothing was asked at all.
func TestEveryEndpoint(t *testing.T) {
	s := newStage(t)
	for _, row := range allEndpoints {
		for _, by := range []string{"own", "client", "object", "resource"} {
			t.Run(string(row.endpoint)+"/"+by, func(t *testing.T) {
				s.enter(t).hosts(row.endpoint)
				token, err := s.client().Token(t.Context(), s.chosen(row.endpoint, by), registry.Audience)
				if by != "own" && !strings.Contains(row.selectors, by) {
					if code(err) != CodeSelector || len(s.Requests()) > 0 {
						t.Errorf("%v after %d requests", err, len(s.Requests()))
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if n := s.Seen(row.kind); n != row.requests || len(s.Requests()) != n {
					t.Errorf("%d requests, %d of them to the endpoint", len(s.Requests()), n)
				}
				if left := time.Until(token.Expires); left < time.Minute || left > 5*time.Minute {
					t.Errorf("a token with %v left", left)
				}
				if !s.exchange(token.Value.Reveal()) {
					t.Error("the registry refuses the token")
				}
			})
		}
	}
}

// TestAssertion gets what an application that trusts a managed identity wants.
func TestAssertion(t *testing.T) {
	s := newStage(t).enter(t)
	token, err := s.client().Token(t.Context(), s.chosen(identity.IMDS, "client"), s.tenant.ExchangeAudience())
	if err != nil || token.Value.IsZero() {
		t.Error(err)
	}
}

// TestAzureMLUsesItsDefault sends the client id of the environment.
func TestAzureMLUsesItsDefault(t *testing.T) {
	s := newStage(t).enter(t)
	s.machine.Assign(s.user)
	for name, value := range s.machine.AzureML(s.user.ClientID()) {
		t.Setenv(name, value)
	}
	token, err := s.client().Token(t.Context(), s.chosen(identity.MachineLearn, "own"), registry.Audience)
	if err != nil || !s.exchange(token.Value.Reveal()) {
		t.Error(err)
	}
}

// TestWithoutStandardTransport has a transport of the caller's own. Only Service
// Fabric can't live with that.
func TestWithoutStandardTransport(t *testing.T) {
	s := newStage(t)
	for _, row := range allEndpoints {
		t.Run(string(row.endpoint), func(t *testing.T) {
			s.enter(t).hosts(row.endpoint)
			c := s.client()
			c.Transport = transport(c.Transport.RoundTrip)
			_, err := c.Token(t.Context(), s.chosen(row.endpoint, "own"), registry.Audience)
			if row.endpoint == identity.ServiceFabric {
				if code(err) != CodeTransport || len(s.Requests()) > 0 {
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

// code is what a hint is looked up by.
func code(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return ""
}
