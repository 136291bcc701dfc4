package entra

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/failure"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// cloudOf is the row of the table that a registry belongs to.
func cloudOf(t *testing.T, host string) registry.Cloud {
	t.Helper()
	h, err := registry.ParseHost(host)
	if err != nil {
		t.Fatal(err)
	}
	return h.Cloud()
}

func principal(p *azuretest.ServicePrincipal, value string) identity.Identity {
	return identity.Identity{
		Kind: identity.ServicePrincipal, Tenant: p.Tenant().ID(), ClientID: p.ClientID(),
		Secret: secret.New(value), Audience: registry.Audience,
	}
}

func newClient(cloud *azuretest.Cloud) Client {
	return Client{Transport: cloud.Transport(), Now: time.Now, Log: slog.New(slog.DiscardHandler)}
}

// TestEveryCloudSignsInAtItsOwnAuthority goes through the clouds: the secret
// reaches the authority of the registry's cloud, in two requests, and no other.
func TestEveryCloudSignsInAtItsOwnAuthority(t *testing.T) {
	for _, host := range []string{
		"contoso.azurecr.io", "contoso.azurecr.cn", "contoso.azurecr.us", "contoso.azurecr.de",
		"contoso.azurecr.sovcloud-azure.fr", "contoso.azurecr.sovcloud-azure.de", "contoso.azurecr-test.io",
	} {
		t.Run(host, func(t *testing.T) {
			cloud := azuretest.Start(t)
			row := cloudOf(t, host)
			app := cloud.AddTenantAt(row.Authority, "").AddServicePrincipal("", "s3cret")
			token, err := newClient(cloud).AccessToken(t.Context(), principal(app, "s3cret"), row)
			if err != nil {
				t.Fatal(err)
			}
			if left := time.Until(token.Expires); token.Value.IsZero() || left < 50*time.Minute {
				t.Errorf("a token with %v left", left)
			}
			if n := cloud.Count("", row.Authority, ""); n != 2 || len(cloud.Requests()) != 2 {
				t.Errorf("%d requests, %d of them to %s", len(cloud.Requests()), n, row.Authority)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(*azuretest.Cloud, *azuretest.ServicePrincipal, *identity.Identity)
		code string
	}{
		{"a wrong secret", func(_ *azuretest.Cloud, _ *azuretest.ServicePrincipal, id *identity.Identity) {
			id.Secret = secret.New("wr0ng")
		}, "AADSTS7000215"},
		{"an expired secret", func(_ *azuretest.Cloud, p *azuretest.ServicePrincipal, _ *identity.Identity) {
			p.ExpireSecret("s3cret")
		}, "AADSTS7000222"},
		{"an unknown application", func(_ *azuretest.Cloud, _ *azuretest.ServicePrincipal, id *identity.Identity) {
			id.ClientID = "00000000-1111-4000-8000-000000000000"
		}, "AADSTS700016"},
		{"an unknown tenant", func(_ *azuretest.Cloud, _ *azuretest.ServicePrincipal, id *identity.Identity) {
			id.Tenant = "00000000-1111-4000-8000-000000000000"
		}, "AADSTS90002"},
		{"an unknown audience", func(_ *azuretest.Cloud, _ *azuretest.ServicePrincipal, id *identity.Identity) {
			id.Audience = "https://contoso.azurecr.io"
		}, "AADSTS500011"},
		{"throttling", func(c *azuretest.Cloud, _ *azuretest.ServicePrincipal, _ *identity.Identity) {
			c.Fault("login.microsoftonline.com", "", azuretest.Fault{Status: 429, Header: map[string][]string{"Retry-After": {"60"}}, Body: "slow down"})
		}, authority.CodeThrottled},
		{"trouble", func(c *azuretest.Cloud, _ *azuretest.ServicePrincipal, _ *identity.Identity) {
			c.Fault("login.microsoftonline.com", "", azuretest.Fault{Status: 500, Body: "<html>"})
		}, authority.CodeTrouble},
		{"a body that isn't an error", func(c *azuretest.Cloud, _ *azuretest.ServicePrincipal, _ *identity.Identity) {
			c.Fault("login.microsoftonline.com", "", azuretest.Fault{Status: 400, Body: `{"error":"<script>","correlation_id":"` + strings.Repeat("x", 100) + `"}`})
		}, authority.CodeOther},
		{"garbage", func(c *azuretest.Cloud, _ *azuretest.ServicePrincipal, _ *identity.Identity) {
			c.Fault("login.microsoftonline.com", "*", azuretest.Fault{Mutate: func(b []byte) []byte { return b[1:] }})
		}, guard.CodeNotJSON},
	} {
		t.Run(row.what, func(t *testing.T) {
			cloud := azuretest.Start(t)
			app := cloud.AddTenant("").AddServicePrincipal("", "s3cret")
			id := principal(app, "s3cret")
			row.do(cloud, app, &id)
			_, err := newClient(cloud).AccessToken(t.Context(), id, cloudOf(t, "contoso.azurecr.io"))
			if failure.Code(err) != row.code {
				t.Fatalf("%v", err)
			}
			if text := err.Error(); cloud.FindCanary(text) != "" || strings.Contains(text, "<") || strings.Contains(text, "wr0ng") || strings.Contains(text, "Trace ID") {
				t.Errorf("the error quotes what it shouldn't: %s", text)
			}
		})
	}
}
