package machine

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestRefusals has something wrong with each kind of host. No error quotes what
// an endpoint said.
func TestRefusals(t *testing.T) {
	s := newStage(t)
	const stranger = "7d1c0000-0000-4000-8000-00000000abcd"
	asStranger := func(_ *stage, id *identity.Identity) { id.ClientID = stranger }
	none := func(s *stage, _ *identity.Identity) { s.machine.Assign() }
	fault := func(f azuretest.Fault) func(*stage, *identity.Identity) {
		return func(s *stage, _ *identity.Identity) { s.Fault("", "", f) }
	}
	env := func(name, value string) func(*stage, *identity.Identity) {
		return func(s *stage, _ *identity.Identity) { s.t.Setenv(name, value) }
	}
	throttled := azuretest.Fault{Status: 429, Header: http.Header{"Retry-After": {"60"}}, Body: "<slow down>"}
	for _, row := range []struct {
		what     string
		endpoint identity.Endpoint
		do       func(*stage, *identity.Identity)
		code     string
		says     string
	}{
		{"an unknown identity", identity.IMDS, asStranger, CodeNoIdentity, "no managed identity with client id " + stranger},
		{"an unknown identity", identity.AppService, asStranger, CodeNoIdentity, "App Service"},
		{"an unknown identity", identity.MachineLearn, asStranger, CodeNoIdentity, stranger},
		{"an unknown identity", identity.Arc, asStranger, CodeNoIdentity, stranger},
		{"no identity", identity.IMDS, none, CodeNoIdentity, "no managed identity (status 400)"},
		{"no identity", identity.AppService, none, CodeNoIdentity, ""},
		{"no identity", identity.ServiceFabric, none, CodeNoIdentity, "status 404"},
		{"no identity", identity.CloudShell, none, CodeNoIdentity, ""},
		{"several identities", identity.IMDS, func(s *stage, _ *identity.Identity) {
			s.machine.Assign(s.user, s.tenant.AddManagedIdentity("pusher"))
		}, CodeSeveralIdentities, "several"},
		{"an old App Service", identity.AppService, fault(azuretest.Fault{Status: 400, Body: `{"StatusCode":400,"Message":"No MSI found for specified ClientId/ResourceId."}`}), CodeNoIdentity, ""},
		{"two ids", identity.IMDS, func(s *stage, id *identity.Identity) {
			id.ClientID, id.ObjectID = s.user.ClientID(), s.user.ObjectID()
		}, CodeSelector, "one id"},
		{"throttling", identity.IMDS, fault(throttled), CodeThrottled, "wait 1m0s"},
		{"throttling", identity.AppService, fault(throttled), CodeThrottled, ""},
		{"a refusal in other words", identity.IMDS, fault(azuretest.Fault{Status: 400, Body: `{"error":"<b>"}`}), CodeOther, "refused (status 400)"},
		{"forbidden", identity.IMDS, fault(azuretest.Fault{Status: 403, Body: `{"error":"no"}`}), CodeOther, ""},
		{"Docker Desktop's proxy", identity.IMDS, fault(azuretest.Fault{Status: 403, Body: "connecting to 169.254.169.254:80: connectex: A socket operation was attempted to an unreachable network."}), CodeNoIMDS, ""},
		{"a redirect", identity.IMDS, fault(azuretest.Fault{Redirect: "http://evil.example/"}), guard.CodeRedirect, ""},
		{"a redirect", identity.AppService, fault(azuretest.Fault{Redirect: "http://evil.example/"}), guard.CodeRedirect, ""},
		{"a redirect", identity.ServiceFabric, fault(azuretest.Fault{Redirect: "https://evil.example/"}), guard.CodeRedirect, ""},
		{"a page", identity.IMDS, fault(azuretest.Fault{Body: "<html>", ContentType: "text/html"}), guard.CodeNotJSON, ""},
		{"no JSON", identity.AppService, fault(azuretest.Fault{Mutate: func(b []byte) []byte { return b[1:] }}), guard.CodeNotJSON, ""},
		{"no token", identity.AppService, fault(azuretest.Fault{Body: `{"expires_in":"3600"}`}), guard.CodeNotJSON, ""},
		{"no end", identity.AppService, fault(azuretest.Fault{Body: `{"access_token":"x"}`}), CodeOther, "can't be believed"},
		{"too much", identity.AppService, fault(azuretest.Fault{Oversize: maxAnswer + 1}), guard.CodeTooLong, ""},
		{"an unknown audience", identity.AppService, func(_ *stage, id *identity.Identity) { id.Audience = "https://contoso.example" }, "AADSTS500011", ""},
		{"a wrong secret", identity.AppService, env("IDENTITY_HEADER", "wr0ng"), CodeOther, "status 401"},
		{"a wrong thumbprint", identity.ServiceFabric, env("IDENTITY_SERVER_THUMBPRINT", strings.Repeat("ab:", 20)), CodePin, ""},
		{"no thumbprint", identity.ServiceFabric, env("IDENTITY_SERVER_THUMBPRINT", "abc"), CodeVariable, "IDENTITY_SERVER_THUMBPRINT"},
		{"no https", identity.ServiceFabric, env("IDENTITY_ENDPOINT", "http://localhost/"), CodeVariable, "https"},
		{"no URL", identity.AppService, env("IDENTITY_ENDPOINT", "localhost:80"), CodeVariable, "IDENTITY_ENDPOINT"},
		{"no URL", identity.CloudShell, env("MSI_ENDPOINT", "ftp://localhost/"), CodeVariable, "MSI_ENDPOINT"},
		{"another host than was chosen", identity.IMDS, env("MSI_ENDPOINT", "http://127.0.0.1/"), CodeMismatch, "the one of Cloud Shell"},
	} {
		t.Run(string(row.endpoint)+"/"+row.what, func(t *testing.T) {
			s.enter(t).hosts(row.endpoint)
			id := s.chosen(row.endpoint, "own")
			id.Audience = registry.Audience
			row.do(s, &id)
			_, err := s.client().Token(t.Context(), id, id.Audience)
			if code(err) != row.code {
				t.Fatalf("%q: %v", code(err), err)
			}
			if text := err.Error(); s.FindCanary(text) != "" || strings.ContainsAny(text, "<>{}\"") || strings.Contains(text, "wr0ng") || !strings.Contains(text, row.says) {
				t.Errorf("the error says: %s", text)
			}
			if row.code == CodeThrottled && wait(err) != time.Minute {
				t.Errorf("asks to wait %v", wait(err))
			}
		})
	}
}

// wait is how long an error asks to wait.
func wait(err error) time.Duration {
	var patient interface{ RetryAfter() time.Duration }
	if errors.As(err, &patient) {
		return patient.RetryAfter()
	}
	return 0
}

// TestNoIMDS is any machine but Azure's: whatever is or isn't at the address, the
// answer is the same and worth remembering.
func TestNoIMDS(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	to := func(addr string) func(context.Context, string, string) (net.Conn, error) {
		return func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		}
	}
	for _, row := range []struct {
		what string
		dial func(context.Context, string, string) (net.Conn, error)
	}{
		{"never answers", to(mute.Addr().String())},
		{"refuses", to(closed.Addr().String())},
		{"packets vanish", func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
	} {
		t.Run(row.what, func(t *testing.T) {
			for _, name := range variables {
				t.Setenv(name, "")
			}
			c := Client{Transport: &http.Transport{DialContext: row.dial}, Getenv: os.Getenv, Now: time.Now, Log: quiet}
			_, err := c.Token(t.Context(), identity.Identity{Endpoint: identity.IMDS}, "https://"+row.what)
			if code(err) != CodeNoIMDS || wait(err) != absentFor {
				t.Errorf("%v, wait %v", err, wait(err))
			}
		})
	}
}

// TestWhoGivesUpIsNotOffAzure: a caller in a hurry says nothing about the machine.
func TestWhoGivesUpIsNotOffAzure(t *testing.T) {
	s := newStage(t).enter(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.client().Token(ctx, s.chosen(identity.IMDS, "own"), registry.Audience)
	if code(err) != guard.CodeTimeout {
		t.Error(err)
	}
}

// TestNoProxy sets a proxy that would serve everything, and must see nothing.
func TestNoProxy(t *testing.T) {
	s := newStage(t)
	var seen atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		http.Error(w, "a proxy", http.StatusBadGateway)
	}))
	defer proxy.Close()
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range allEndpoints {
		t.Run(string(row.endpoint), func(t *testing.T) {
			s.enter(t).hosts(row.endpoint)
			c := s.client()
			base := c.Transport.(*http.Transport)
			base.Proxy = http.ProxyURL(at)
			dial := base.DialContext
			base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == at.Host {
					return (&net.Dialer{}).DialContext(ctx, network, addr)
				}
				return dial(ctx, network, addr)
			}
			if _, err := c.Token(t.Context(), s.chosen(row.endpoint, "own"), registry.Audience); err != nil {
				t.Error(err)
			}
			if n := seen.Load(); n > 0 {
				t.Errorf("the proxy saw %d requests", n)
			}
			if base.Proxy == nil {
				t.Error("the caller's transport was changed")
			}
		})
	}
}

// TestAnotherEnvironment: MSAL reads the process's own. What was handed in says
// where a secret may go.
func TestAnotherEnvironment(t *testing.T) {
	s := newStage(t).enter(t)
	s.hosts(identity.AppService)
	c := s.client()
	c.Getenv = func(name string) string {
		if name == "IDENTITY_ENDPOINT" {
			return "http://127.0.0.1:1/msi/token"
		}
		return os.Getenv(name)
	}
	_, err := c.Token(t.Context(), s.chosen(identity.AppService, "own"), registry.Audience)
	if code(err) != guard.CodeStranger || len(s.Requests()) > 0 {
		t.Errorf("%v after %d requests", err, len(s.Requests()))
	}
}
