package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/containers/azcontainerregistry"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// An sdk is a fixture for Azure's own SDK, whose authors know Azure itself.
type sdk struct {
	*fixture
	options  azcore.ClientOptions
	user     *azuretest.User
	issuer   *azuretest.Issuer // a cluster
	computer *azuretest.ManagedIdentityHost
	// The computer has own (system-assigned) and assigned, but not other.
	own, assigned, other *azuretest.ManagedIdentity
}

func newSDK(t *testing.T) *sdk {
	t.Helper()
	s := &sdk{fixture: newFixture(t)}
	s.options.Transport = &http.Client{Transport: s.cloud.Transport()}
	s.options.Retry.MaxRetries = -1 // otherwise the SDK retries after a refused exchange or a wrong certificate
	s.user = s.tenant.AddUser("ada@contoso.example")
	s.assigned, s.other = s.tenant.AddManagedIdentity("assigned"), s.tenant.AddManagedIdentity("other")
	s.own = s.tenant.AddManagedIdentity("")
	s.issuer = s.cloud.AddIssuer("https://oidc.example/cluster")
	s.computer = s.cloud.AddManagedIdentityHost(s.own, s.assigned)
	for _, p := range []azuretest.Principal{s.user, s.assigned, s.own} {
		s.registry.Grant(p, azuretest.AcrPull)
	}
	s.cloud.PollInterval(time.Second)
	return s
}

// sdkTimeout ends a credential that waits forever.
const sdkTimeout = 20 * time.Second

// TestAzureSDK lists the registry's repositories with each of azidentity's credentials. If Azure would refuse a
// credential, the cloud must refuse it, too, in a way that azidentity understands.
func TestAzureSDK(t *testing.T) {
	s := newSDK(t)
	for _, row := range sdkCredentials {
		t.Run(row.name, func(t *testing.T) {
			s.cloud.Reset()
			credential, err := row.make(t, s, true)
			if err != nil {
				t.Fatal(err)
			}
			s.expectRepositories(t, host, credential, s.options)
			if row.kind != "" && s.cloud.Seen(row.kind) == 0 {
				t.Errorf("no request of kind %s", row.kind)
			}
			if row.kind == azuretest.KindEntraToken && s.cloud.Seen(azuretest.KindDiscovery) == 0 {
				t.Error("no instance discovery")
			}
			s.expectNoRefusals(t)
			s.expectNoLeaks(t)
		})
		t.Run(row.name+", refused", func(t *testing.T) {
			s.cloud.Reset()
			credential, err := row.make(t, s, false)
			if err != nil {
				t.Fatal(err)
			}
			s.expectRefusal(t, credential, row.refusal)
			if n := s.cloud.Seen(azuretest.KindExchange); n > 0 {
				t.Errorf("%d exchanges without a token", n)
			}
			s.expectNoLeaks(t)
		})
	}
}

// TestAzureSDK_clouds uses the SDK's authorities of each Azure cloud.
func TestAzureSDK_clouds(t *testing.T) {
	s := newSDK(t)
	for _, row := range []struct {
		cloud           cloud.Configuration
		authority, host string
	}{
		{cloud.AzurePublic, "login.microsoftonline.com", "fabrikam.azurecr.io"},
		{cloud.AzureChina, "login.partner.microsoftonline.cn", "fabrikam.azurecr.cn"},
		{cloud.AzureGovernment, "login.microsoftonline.us", "fabrikam.azurecr.us"},
	} {
		t.Run(row.host, func(t *testing.T) {
			tenant := s.cloud.AddTenantAt(row.authority, "")
			app := tenant.AddServicePrincipal("", clientSecret)
			r := s.cloud.AddRegistry(row.host, tenant)
			r.Backend = s.backend
			r.Grant(app, azuretest.AcrPull)
			inCloud := *s
			inCloud.options.Cloud = row.cloud
			credential, err := inCloud.bySecret(tenant.ID(), app.ClientID(), clientSecret)
			if err != nil {
				t.Fatal(err)
			}
			s.expectRepositories(t, row.host, credential, inCloud.options)
			s.expectNoLeaks(t)
		})
	}
}

// TestAzureSDK_and_program proves that the program's token for an identity gives access to the same repositories as the
// SDK's.
func TestAzureSDK_and_program(t *testing.T) {
	for _, row := range sdkCredentials {
		if row.vars == nil {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			s := newSDK(t)
			credential, err := row.make(t, s, true)
			if err != nil {
				t.Fatal(err)
			}
			want, err := s.repositories(t, host, credential, s.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range row.vars {
				s.env[name] = os.Getenv(name)
			}
			out, err := s.get(host)
			var response struct{ Username, Secret string }
			if err != nil || json.Unmarshal([]byte(out), &response) != nil || response.Username != nullGUID {
				t.Fatalf("%v: %s", err, out)
			}
			if got := s.repositoriesOfToken(t, response.Secret); !slices.Equal(got, want) {
				t.Errorf("the program's token shows %q, the SDK's %q", got, want)
			}
			s.expectExchanges(2)
		})
	}
}

// repositories returns the repositories that the SDK lists, one a page.
func (s *sdk) repositories(
	t *testing.T, host string, credential azcore.TokenCredential, options azcore.ClientOptions,
) (found []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sdkTimeout)
	defer cancel()
	onePerPage := &azcontainerregistry.ClientListRepositoriesOptions{MaxNum: to.Ptr[int32](1)}
	pages := newClient(t, host, credential, options).NewListRepositoriesPager(onePerPage)
	for pages.More() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		if len(page.Names) > 1 {
			t.Errorf("a page of %d", len(page.Names))
		}
		for _, name := range page.Names {
			found = append(found, *name)
		}
	}
	return found, nil
}

func newClient(
	t *testing.T, host string, credential azcore.TokenCredential, options azcore.ClientOptions,
) *azcontainerregistry.Client {
	t.Helper()
	clientOptions := &azcontainerregistry.ClientOptions{ClientOptions: options}
	client, err := azcontainerregistry.NewClient("https://"+host, credential, clientOptions)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// expectRepositories fails unless a credential gives access to the repositories, the tag and its manifest.
func (s *sdk) expectRepositories(
	t *testing.T, host string, credential azcore.TokenCredential, options azcore.ClientOptions,
) {
	t.Helper()
	found, err := s.repositories(t, host, credential, options)
	if err != nil || !slices.Equal(found, []string{"app", "other"}) {
		t.Fatalf("repositories are %q: %v", found, err)
	}
	client := newClient(t, host, credential, options)
	digest, err := dockerImage().Digest()
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.NewListTagsPager("app", nil).NextPage(t.Context())
	if err != nil || len(page.Tags) != 1 || *page.Tags[0].Name != "1" || *page.Tags[0].Digest != digest.String() {
		t.Errorf("tags of app: %v", err)
	}
	const docker = azcontainerregistry.ContentTypeApplicationVndDockerDistributionManifestV2JSON
	manifest, err := client.GetManifest(t.Context(), "app", "1",
		&azcontainerregistry.ClientGetManifestOptions{Accept: to.Ptr(string(docker))})
	if err != nil || *manifest.DockerContentDigest != digest.String() {
		t.Errorf("manifest of app:1: %v", err)
	}
}

// repositoriesOfToken returns the repositories that a refresh token of the registry gives access to.
func (s *sdk) repositoriesOfToken(t *testing.T, refreshToken string) []string {
	t.Helper()
	auth, err := azcontainerregistry.NewAuthenticationClient("https://"+host,
		&azcontainerregistry.AuthenticationClientOptions{ClientOptions: s.options})
	if err != nil {
		t.Fatal(err)
	}
	access, err := auth.ExchangeACRRefreshTokenForACRAccessToken(t.Context(), host, "registry:catalog:*", refreshToken,
		&azcontainerregistry.AuthenticationClientExchangeACRRefreshTokenForACRAccessTokenOptions{
			GrantType: to.Ptr(azcontainerregistry.TokenGrantTypeRefreshToken),
		})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/acr/v1/_catalog", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+*access.AccessToken)
	resp, err := s.options.Transport.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var catalog struct{ Repositories []string }
	if err := json.NewDecoder(resp.Body).Decode(&catalog); err != nil {
		t.Fatal(err)
	}
	return catalog.Repositories
}

// expectNoRefusals fails if the cloud refused a request other than the first of each challenge or probe. The SDK
// tolerates many errors, so its success is not enough.
func (s *sdk) expectNoRefusals(t *testing.T) {
	t.Helper()
	for _, r := range s.cloud.Requests() {
		hasChallenge := r.Kind == azuretest.KindData || r.Kind == azuretest.KindArc
		challenge := r.Status == http.StatusUnauthorized && hasChallenge
		probe := r.Kind == azuretest.KindIMDS && r.Header.Get("Metadata") == ""
		if r.Status != http.StatusOK && !challenge && !probe {
			t.Errorf("%s %s%s: %d %s", r.Method, r.Host, r.Path, r.Status, r.Why)
		}
	}
}

func (s *sdk) expectNoLeaks(t *testing.T) {
	t.Helper()
	if leaks, hosts := s.cloud.Leaks(), s.cloud.ForeignHosts(); len(leaks)+len(hosts) > 0 {
		t.Errorf("%d leaks, unexpected hosts %q", len(leaks), hosts)
	}
}
