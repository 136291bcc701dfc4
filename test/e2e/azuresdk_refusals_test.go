package e2e

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// What Entra has against an application reaches whoever reads azidentity's error.
func TestAzureSDKApplications(t *testing.T) {
	s := newSDK(t)
	secretOf := func(change func(*azuretest.ServicePrincipal)) string {
		app := s.tenant.AddServicePrincipal("", clientSecret)
		s.registry.Grant(app, azuretest.AcrPull)
		change(app)
		return app.ClientID()
	}
	expired := secretOf(func(app *azuretest.ServicePrincipal) { app.ExpireSecret(clientSecret) })
	disabled := secretOf((*azuretest.ServicePrincipal).Disable)
	elsewhere := s.cloud.AddTenantAt("login.microsoftonline.us", "")
	for _, row := range []struct{ name, tenant, client, refusal string }{
		{"an expired secret", s.tenant.ID(), expired, "AADSTS7000222"},
		{"disabled", s.tenant.ID(), disabled, "AADSTS7000112"},
		{"unknown", s.tenant.ID(), nullGUID, "AADSTS700016"},
		{"of an unknown tenant", nullGUID, clientID, "AADSTS90002"},
		{"of another cloud's tenant", elsewhere.ID(), clientID, "AADSTS90002"},
		{"of another tenant", s.cloud.AddTenant("").ID(), clientID, "AADSTS700016"},
		{"of no tenant", "organizations", clientID, "AADSTS90130"},
	} {
		t.Run(row.name, func(t *testing.T) {
			credential, err := azidentity.NewClientSecretCredential(row.tenant, row.client, clientSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.options})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.repositories(t, host, credential, s.options); err == nil || !strings.Contains(err.Error(), row.refusal) {
				t.Errorf("not refused with %s: %v", row.refusal, err)
			}
		})
	}
	s.clean(t)
}

// Who has no role, and whose roles don't reach, is told so by the registry.
func TestAzureSDKRoles(t *testing.T) {
	s := newSDK(t)
	for _, row := range []struct {
		name    string
		grant   func(azuretest.Principal)
		refusal string
	}{
		{"no role", func(azuretest.Principal) {}, "UNAUTHORIZED"},
		{"no catalog", func(p azuretest.Principal) { s.registry.Grant(p, azuretest.AcrDelete) }, "UNAUTHORIZED"},
	} {
		t.Run(row.name, func(t *testing.T) {
			app := s.tenant.AddServicePrincipal("", clientSecret)
			row.grant(app)
			credential, err := azidentity.NewClientSecretCredential(s.tenant.ID(), app.ClientID(), clientSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.options})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.repositories(t, host, credential, s.options); err == nil || !strings.Contains(err.Error(), row.refusal) {
				t.Errorf("not refused with %s: %v", row.refusal, err)
			}
		})
	}
	if _, err := s.repositories(t, host, nil, s.options); err == nil || !strings.Contains(err.Error(), "UNAUTHORIZED") {
		t.Errorf("nobody lists all: %v", err)
	}
	s.registry.AnonymousPull(true)
	s.lists(t, host, nil, s.options)
	s.clean(t)
}
