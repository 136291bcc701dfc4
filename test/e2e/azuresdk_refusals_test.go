package e2e

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestAzureSDK_applications proves that azidentity's errors have Entra's reasons for refusing an application.
func TestAzureSDK_applications(t *testing.T) {
	s := newSDK(t)
	addApplication := func(change func(*azuretest.ServicePrincipal)) string {
		app := s.tenant.AddServicePrincipal("", clientSecret)
		s.registry.Grant(app, azuretest.AcrPull)
		change(app)
		return app.ClientID()
	}
	expired := addApplication(func(app *azuretest.ServicePrincipal) { app.ExpireSecret(clientSecret) })
	disabled := addApplication((*azuretest.ServicePrincipal).Disable)
	otherCloud := s.cloud.AddTenantAt("login.microsoftonline.us", "")
	for _, row := range []struct{ name, tenant, client, refusal string }{
		{"expired secret", s.tenant.ID(), expired, "AADSTS7000222"},
		{"disabled", s.tenant.ID(), disabled, "AADSTS7000112"},
		{"unknown", s.tenant.ID(), nullGUID, "AADSTS700016"},
		{"unknown tenant", nullGUID, clientID, "AADSTS90002"},
		{"tenant of another cloud", otherCloud.ID(), clientID, "AADSTS90002"},
		{"another tenant", s.cloud.AddTenant("").ID(), clientID, "AADSTS700016"},
		{"no tenant", "organizations", clientID, "AADSTS90130"},
	} {
		t.Run(row.name, func(t *testing.T) {
			credential, err := s.bySecret(row.tenant, row.client, clientSecret)
			if err != nil {
				t.Fatal(err)
			}
			s.expectRefusal(t, credential, row.refusal)
		})
	}
	s.expectNoLeaks(t)
}

// TestAzureSDK_roles proves that the registry refuses identities without a role, or with one that doesn't allow it.
func TestAzureSDK_roles(t *testing.T) {
	s := newSDK(t)
	for name, roles := range map[string][]azuretest.Role{"no role": nil, "no catalog": {azuretest.AcrDelete}} {
		t.Run(name, func(t *testing.T) {
			app := s.tenant.AddServicePrincipal("", clientSecret)
			for _, role := range roles {
				s.registry.Grant(app, role)
			}
			credential, err := s.bySecret(s.tenant.ID(), app.ClientID(), clientSecret)
			if err != nil {
				t.Fatal(err)
			}
			s.expectRefusal(t, credential, "UNAUTHORIZED")
		})
	}
	s.expectRefusal(t, nil, "UNAUTHORIZED") // anonymous
	s.registry.AnonymousPull(true)
	s.expectRepositories(t, host, nil, s.options)
	s.expectNoLeaks(t)
}

func (s *sdk) expectRefusal(t *testing.T, credential azcore.TokenCredential, refusal string) {
	t.Helper()
	if _, err := s.repositories(t, host, credential, s.options); err == nil || !strings.Contains(err.Error(), refusal) {
		t.Errorf("not refused with %s: %v", refusal, err)
	}
}
