package entra

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestClient_AccessToken has an identity of each kind. Where it would take more than a cloud to sign in, the code of
// the error says which client was asked.
func TestClient_AccessToken(t *testing.T) {
	for _, name := range []string{"IDENTITY_ENDPOINT", "MSI_ENDPOINT"} { // else MSAL sees another endpoint than IMDS
		t.Setenv(name, "")
	}
	cloud := azuretest.Start(t)
	cloud.AdvanceClock(4*time.Minute - 24*time.Hour) // so that MSAL caches no token of a managed identity
	tenant := cloud.AddTenant("")
	vm := tenant.AddManagedIdentity("builder")
	cloud.AddManagedIdentityHost(vm)
	app := tenant.AddServicePrincipal("", "s3cret")
	app.AddManagedIdentityCredential(vm)
	transport := cloud.Transport()
	t.Cleanup(transport.CloseIdleConnections)
	getenv := func(name string) string {
		if name == "PATH" {
			return "/no/such/directory"
		}
		return os.Getenv(name)
	}
	client := Client{
		Transport: transport, Runner: subprocess.Runner{Getenv: getenv}, Now: cloud.Now, Log: slog.New(slog.DiscardHandler),
	}

	ofApp := identity.Identity{Tenant: tenant.ID(), ClientID: app.ClientID(), Audience: registry.Audience}
	for _, row := range []struct {
		kind     identity.Kind
		change   func(*identity.Identity)
		code     fault.Code
		requests int
	}{
		{identity.ServicePrincipal, func(id *identity.Identity) { id.Secret = secret.New("s3cret") }, "", 2},
		{identity.FederatedToken, func(id *identity.Identity) {
			id.Federation, id.Endpoint = &identity.Federation{ManagedIdentity: vm.ClientID()}, identity.IMDS
		}, "", 4},
		{identity.WorkloadIdentity, func(id *identity.Identity) {
			id.Federation = &identity.Federation{File: "/no/such/file"}
		}, fault.AssertionMissing, 1},
		{identity.GitHubActions, func(id *identity.Identity) {
			id.Federation = &identity.Federation{RequestURL: "http://x"}
		}, fault.IssuerURL, 1},
		{identity.AzurePipelines, func(id *identity.Identity) {
			id.Federation = &identity.Federation{RequestURL: "https://x"}
		}, fault.AssertionMissing, 1},
		{identity.ManagedIdentity, func(id *identity.Identity) {
			id.ClientID, id.Endpoint = vm.ClientID(), identity.IMDS
		}, "", 2},
		{identity.AzureCLI, nil, fault.AzureCLIMissing, 0},
		{identity.AzureDeveloperCLI, nil, fault.AzdMissing, 0},
		{identity.AzurePowerShell, nil, fault.PowerShellMissing, 0},
	} {
		t.Run(string(row.kind), func(t *testing.T) {
			cloud.Reset()
			id := ofApp
			id.Kind = row.kind
			if row.change != nil {
				row.change(&id)
			}
			token, err := client.AccessToken(t.Context(), id, cloudOf(t, "contoso.azurecr.io"))
			if fault.CodeOf(err) != row.code || token.Value.IsZero() != (row.code != "") {
				t.Errorf("%q: %v", fault.CodeOf(err), err)
			}
			if n := len(cloud.Requests()); n != row.requests {
				t.Errorf("%d requests", n)
			}
		})
	}
	for _, kind := range []identity.Kind{
		identity.None, identity.Anonymous, identity.User, identity.RegistryUser, identity.ACRToken,
	} {
		if _, err := client.AccessToken(t.Context(), identity.Identity{Kind: kind}, registry.Cloud{}); err == nil {
			t.Errorf("a token for %q", kind)
		}
	}
}

// cloudOf returns the cloud that a registry belongs to.
func cloudOf(t *testing.T, host string) registry.Cloud {
	t.Helper()
	h, err := registry.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	return h.Cloud()
}
