package managedidentity

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestClient_AccessToken_fails has endpoints that refuse or fail. No error quotes an answer.
func TestClient_AccessToken_fails(t *testing.T) {
	const unknown = "7d1c0000-0000-4000-8000-00000000abcd"
	type change = func(fixture, *identity.Identity)
	isUnknown := func(_ fixture, id *identity.Identity) { id.ClientID = unknown }
	none := func(f fixture, _ *identity.Identity) { f.machine.Assign() }
	answer := func(a azuretest.Fault) change {
		return func(f fixture, _ *identity.Identity) { f.Fault("", "", a) }
	}
	redirect := func(to string) change { return answer(azuretest.Fault{Redirect: to}) }
	env := func(name, value string) change {
		return func(f fixture, _ *identity.Identity) { f.t.Setenv(name, value) }
	}
	throttled := answer(azuretest.Fault{Status: 429, Header: http.Header{"Retry-After": {"60"}}, Body: "<slow down>"})
	for _, row := range []struct {
		what     string
		endpoint identity.Endpoint
		do       change
		code     fault.Code
		says     string
	}{
		{"unknown identity", identity.IMDS, isUnknown, fault.NoManagedIdentity, "with client ID " + unknown},
		{"unknown identity", identity.AppService, isUnknown, fault.NoManagedIdentity, "App Service"},
		{"unknown identity", identity.MachineLearn, isUnknown, fault.NoManagedIdentity, unknown},
		{"unknown identity", identity.Arc, isUnknown, fault.NoManagedIdentity, unknown},
		{"no identity", identity.IMDS, none, fault.NoManagedIdentity, "no managed identity (HTTP 400)"},
		{"no identity", identity.AppService, none, fault.NoManagedIdentity, ""},
		{"no identity", identity.ServiceFabric, none, fault.NoManagedIdentity, "HTTP 404"},
		{"no identity", identity.CloudShell, none, fault.NoManagedIdentity, ""},
		{"several identities", identity.IMDS, func(f fixture, _ *identity.Identity) {
			f.machine.Assign(f.user, f.tenant.AddManagedIdentity("pusher"))
		}, fault.SeveralIdentities, "several"},
		{"an old App Service", identity.AppService, answer(azuretest.Fault{
			Status: 400, Body: `{"StatusCode":400,"Message":"No MSI found for specified ClientId/ResourceId."}`,
		}), fault.NoManagedIdentity, ""},
		{"two ids", identity.IMDS, func(f fixture, id *identity.Identity) {
			id.ClientID, id.ObjectID = f.user.ClientID(), f.user.ObjectID()
		}, fault.IdentitySelector, "only one of client ID"},
		{"throttling", identity.IMDS, throttled, fault.EndpointThrottled, "retry after 1m0s"},
		{"throttling", identity.AppService, throttled, fault.EndpointThrottled, ""},
		{"other words", identity.IMDS, answer(azuretest.Fault{
			Status: 400, Body: `{"error":"<b>"}`,
		}), fault.EndpointOther, "refused the request (HTTP 400)"},
		{"forbidden", identity.IMDS, answer(azuretest.Fault{Status: 403, Body: `{"error":"no"}`}), fault.EndpointOther, ""},
		{"Docker Desktop's proxy", identity.IMDS, answer(azuretest.Fault{
			Status: 403, Body: "connecting to 169.254.169.254:80: connectex: A socket operation was attempted to an " +
				"unreachable network.",
		}), fault.IMDSAbsent, ""},
		{"a redirect", identity.IMDS, redirect("http://evil.example/"), fault.Redirect, ""},
		{"a redirect", identity.AppService, redirect("http://evil.example/"), fault.Redirect, ""},
		{"a redirect", identity.ServiceFabric, redirect("https://evil.example/"), fault.Redirect, ""},
		{"a page", identity.IMDS, answer(azuretest.Fault{Body: "<html>", ContentType: "text/html"}), fault.NotJSON, ""},
		{"not JSON", identity.AppService, answer(azuretest.Fault{
			Mutate: func(b []byte) []byte { return b[1:] },
		}), fault.NotJSON, ""},
		{"no token", identity.AppService, answer(azuretest.Fault{Body: `{"expires_in":"3600"}`}), fault.NotJSON, ""},
		{"no expiry", identity.AppService, answer(azuretest.Fault{
			Body: `{"access_token":"x"}`,
		}), fault.EndpointOther, "invalid response"},
		{"too much", identity.AppService, answer(azuretest.Fault{Oversize: maxAnswer + 1}), fault.TooLong, ""},
		{"unknown audience", identity.AppService, func(_ fixture, id *identity.Identity) {
			id.Audience = "https://contoso.example"
		}, "AADSTS500011", ""},
		{"wrong secret", identity.AppService, env("IDENTITY_HEADER", "wr0ng"), fault.EndpointOther, "HTTP 401"},
		{"wrong thumbprint", identity.ServiceFabric, env(
			"IDENTITY_SERVER_THUMBPRINT", strings.Repeat("ab:", 20),
		), fault.ServiceFabricPin, ""},
		{"no thumbprint", identity.ServiceFabric, env(
			"IDENTITY_SERVER_THUMBPRINT", "abc",
		), fault.EndpointVariable, "IDENTITY_SERVER_THUMBPRINT"},
		{"no https", identity.ServiceFabric, env("IDENTITY_ENDPOINT", "http://x/"), fault.EndpointVariable, "https"},
		{"no URL", identity.AppService, env("IDENTITY_ENDPOINT", "x:80"), fault.EndpointVariable, "IDENTITY_ENDPOINT"},
		{"no URL", identity.CloudShell, env("MSI_ENDPOINT", "ftp://x/"), fault.EndpointVariable, "MSI_ENDPOINT"},
		{"another endpoint", identity.IMDS, env("MSI_ENDPOINT", "http://x/"), fault.EndpointMismatch, "Cloud Shell"},
	} {
		t.Run(string(row.endpoint)+"/"+row.what, func(t *testing.T) {
			f := newFixture(t, row.endpoint)
			id := f.identity(row.endpoint, "none")
			id.Audience = registry.Audience
			row.do(f, &id)
			_, err := f.client().AccessToken(t.Context(), id, id.Audience)
			if fault.CodeOf(err) != row.code {
				t.Fatalf("%q: %v", fault.CodeOf(err), err)
			}
			text := err.Error()
			if f.FindCanary(text) != "" || strings.ContainsAny(text, "<>{}\"") || strings.Contains(text, "wr0ng") {
				t.Errorf("the error quotes the answer: %s", text)
			}
			if !strings.Contains(text, row.says) {
				t.Errorf("%s, want %s", text, row.says)
			}
			if row.code == fault.EndpointThrottled && fault.RetryAfter(err) != time.Minute {
				t.Errorf("asks to wait %v", fault.RetryAfter(err))
			}
		})
	}
}

func TestClient_AccessToken_without_proxy(t *testing.T) {
	for _, row := range endpoints {
		t.Run(string(row.endpoint), func(t *testing.T) {
			f := newFixture(t, row.endpoint)
			c := f.client()
			base := c.Transport.(*http.Transport)
			base.Proxy = func(r *http.Request) (*url.URL, error) {
				t.Errorf("a proxy was asked for %s", r.URL)
				return nil, nil
			}
			if _, err := c.AccessToken(t.Context(), f.identity(row.endpoint, "none"), registry.Audience); err != nil {
				t.Error(err)
			}
			if base.Proxy == nil {
				t.Error("the caller's transport was changed")
			}
		})
	}
}

// TestClient_AccessToken_refuses_another_environment: MSAL reads the process's variables, but only those that were
// handed in say where a secret may go.
func TestClient_AccessToken_refuses_another_environment(t *testing.T) {
	f := newFixture(t, identity.AppService)
	c := f.client()
	c.Getenv = func(name string) string {
		if name == "IDENTITY_ENDPOINT" {
			return "http://127.0.0.1:1/msi/token"
		}
		return os.Getenv(name)
	}
	_, err := c.AccessToken(t.Context(), f.identity(identity.AppService, "none"), registry.Audience)
	if !fault.Is(err, fault.UnexpectedHost) || len(f.Requests()) > 0 {
		t.Errorf("%v after %d requests", err, len(f.Requests()))
	}
}
