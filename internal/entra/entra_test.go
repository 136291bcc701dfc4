package entra

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

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
		}, CodeThrottled},
		{"trouble", func(c *azuretest.Cloud, _ *azuretest.ServicePrincipal, _ *identity.Identity) {
			c.Fault("login.microsoftonline.com", "", azuretest.Fault{Status: 500, Body: "<html>"})
		}, CodeTrouble},
		{"a body that isn't an error", func(c *azuretest.Cloud, _ *azuretest.ServicePrincipal, _ *identity.Identity) {
			c.Fault("login.microsoftonline.com", "", azuretest.Fault{Status: 400, Body: `{"error":"<script>","correlation_id":"` + strings.Repeat("x", 100) + `"}`})
		}, CodeOther},
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
			var coded interface{ Code() string }
			if !errors.As(err, &coded) || coded.Code() != row.code {
				t.Fatalf("%v", err)
			}
			if text := err.Error(); cloud.FindCanary(text) != "" || strings.Contains(text, "<") || strings.Contains(text, "wr0ng") || strings.Contains(text, "Trace ID") {
				t.Errorf("the error quotes what it shouldn't: %s", text)
			}
		})
	}
}

func TestParseAz(t *testing.T) {
	local := time.Date(2026, 11, 21, 21, 30, 26, 0, time.Local)
	for _, row := range []struct {
		answer  string
		expires time.Time // zero: refused
	}{
		{`{"accessToken":"x","expiresOn":"2026-11-21 21:30:26.000000","tenant":"t"}`, local},                               // az 2.45: local time, no zone
		{`{"accessToken":"x","expiresOn":"2020-01-01 00:00:00.000000","expires_on":1795296626}`, time.Unix(1795296626, 0)}, // az 2.54
		{`{"accessToken":"","expires_on":1795296626}`, time.Time{}},
		{`{"accessToken":"x"}`, time.Time{}},
		{`{"accessToken":"x","expiresOn":"tomorrow"}`, time.Time{}},
		{`WARNING: {"accessToken":"x"}`, time.Time{}},
		{``, time.Time{}},
	} {
		got, err := parseAz([]byte(row.answer))
		if row.expires.IsZero() != (err != nil) || err == nil && !got.expires.Equal(row.expires) {
			t.Errorf("%s: %v, %v", row.answer, got.expires, err)
		}
	}
}

func TestChildrenGetNoSecrets(t *testing.T) {
	kept := harmless([]string{
		"PATH=/bin", "HOME=/root", "PWD=/x", "AZURE_CONFIG_DIR=/x", "HTTPS_PROXY=http://p", "REQUESTS_CA_BUNDLE=/ca",
		"AZURE_FEDERATED_TOKEN_FILE=/t", "AZURE_CLIENT_CERTIFICATE_PATH=/c", "ACTIONS_ID_TOKEN_REQUEST_URL=https://x",
		"AZURE_CLIENT_SECRET=s", "ARM_CLIENT_SECRET=s", "AZURE_CLIENT_CERTIFICATE_PASSWORD=s", "AZURE_PASSWORD=s", "azure_client_secret=s",
		"AZURE_FEDERATED_TOKEN=s", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=s", "SYSTEM_ACCESSTOKEN=s", "IDENTITY_HEADER=s", "MSI_SECRET=s",
		"AZURE_DEVOPS_EXT_PAT=s", "AZURE_STORAGE_KEY=s", "DB_PASS=s", "MYSQL_PWD=s", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS=s", "NPM_CONFIG__AUTH=s", "MY_SECRET_URL=s",
		"ARM_OIDC_TOKEN=s", "GITHUB_TOKEN=s", "AWS_SECRET_ACCESS_KEY=s", "DOCKER_AUTH_CONFIG=s", "AZURE_STORAGE_CONNECTION_STRING=s",
	})
	for _, entry := range kept {
		if strings.HasSuffix(entry, "=s") {
			t.Errorf("%s is kept", entry)
		}
	}
	if len(kept) != 9 {
		t.Errorf("kept: %q", kept)
	}
}

func TestToolsAreFoundByAbsolutePathsOnly(t *testing.T) {
	t.Chdir("testdata")
	for _, path := range []string{".", "", "bin", ":bin:."} {
		tools := Tools{Getenv: func(string) string { return path }}
		if found := tools.Find("az"); found != "" {
			t.Errorf("PATH=%q finds %s", path, found)
		}
	}
}

func TestEveryMeaningIsASentence(t *testing.T) {
	var texts []string
	for code := range meanings {
		text := (&Error{AADSTS: code, Status: 400}).Error()
		if text != strings.TrimRight(text, ".!") || !strings.Contains(text, fmt.Sprintf("(AADSTS%d)", code)) {
			t.Errorf("%d: %q", code, text)
		}
		texts = append(texts, text)
	}
	if slices.Contains(texts, "") {
		t.Error("an empty sentence")
	}
}
