package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/containers/azcontainerregistry"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// An sdk is a stage for Azure's own SDK. What others wrote after Azure itself must
// get along with the cloud of these tests, or that is an echo of how this project
// reads Azure's documentation.
type sdk struct {
	*stage
	options azcore.ClientOptions
	person  *azuretest.User
	issuer  *azuretest.Issuer // a cluster
	machine *azuretest.Machine
	// The machine has the first two.
	own, assigned, other *azuretest.ManagedIdentity
}

func newSDK(t *testing.T) *sdk {
	t.Helper()
	s := &sdk{stage: newStage(t)}
	s.options.Transport = &http.Client{Transport: s.cloud.Transport()}
	s.options.Retry.MaxRetries = -1 // the SDK takes a refused exchange, and a wrong certificate, for something that passes
	s.person = s.tenant.AddUser("ada@contoso.example")
	s.assigned, s.other = s.tenant.AddManagedIdentity("assigned"), s.tenant.AddManagedIdentity("other")
	s.own = s.tenant.AddManagedIdentity("")
	s.issuer = s.cloud.AddIssuer("https://oidc.example/cluster")
	s.machine = s.cloud.AddMachine(s.own, s.assigned)
	for _, p := range []azuretest.Principal{s.person, s.assigned, s.own} {
		s.registry.Grant(p, azuretest.AcrPull)
	}
	s.cloud.PollInterval(time.Second)
	return s
}

// sdkLimit ends a credential that waits for something that never comes.
const sdkLimit = 20 * time.Second

// Each of azidentity's credentials lists what the registry has, by pages, and one
// that Azure would refuse is refused with what azidentity expects to tell.
func TestAzureSDK(t *testing.T) {
	s := newSDK(t)
	for _, row := range sdkCredentials {
		t.Run(row.name, func(t *testing.T) {
			s.cloud.Reset()
			credential, err := row.make(t, s, true)
			if err != nil {
				t.Fatal(err)
			}
			s.lists(t, host, credential, s.options)
			if row.asks != "" && s.cloud.Seen(row.asks) == 0 {
				t.Errorf("no request of kind %s", row.asks)
			}
			if row.asks == azuretest.KindEntraToken && s.cloud.Seen(azuretest.KindDiscovery) == 0 {
				t.Error("no instance discovery")
			}
			s.welcome(t)
			s.clean(t)
		})
		t.Run(row.name+", refused", func(t *testing.T) {
			s.cloud.Reset()
			credential, err := row.make(t, s, false)
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.repositories(t, host, credential, s.options)
			if err == nil || !strings.Contains(err.Error(), row.refusal) {
				t.Errorf("not refused with %s: %v", row.refusal, err)
			}
			if n := s.cloud.Seen(azuretest.KindExchange); n > 0 {
				t.Errorf("%d exchanges without a token", n)
			}
			s.clean(t)
		})
	}
}

// The SDK has authorities of its own for each of Azure's clouds.
func TestAzureSDKClouds(t *testing.T) {
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
			options := s.options
			options.Cloud = row.cloud
			credential, err := azidentity.NewClientSecretCredential(tenant.ID(), app.ClientID(), clientSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options})
			if err != nil {
				t.Fatal(err)
			}
			s.lists(t, row.host, credential, options)
			s.clean(t)
		})
	}
}

// What the program answers opens the same registry as what the SDK gets for the
// same identity.
func TestAzureSDKSeesWhatTheProgramDoes(t *testing.T) {
	for _, row := range sdkCredentials {
		if row.environ == nil {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			s := newSDK(t)
			credential, err := row.make(t, s, true)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := s.repositories(t, host, credential, s.options)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range row.environ {
				s.env[name] = os.Getenv(name)
			}
			out, err := s.get(host)
			var answer struct{ Username, Secret string }
			if err != nil || json.Unmarshal([]byte(out), &answer) != nil || answer.Username != nullGUID {
				t.Fatalf("%v: %s", err, out)
			}
			if ours := s.repositoriesBy(t, answer.Secret); !slices.Equal(ours, theirs) {
				t.Errorf("the program's token shows %q, the SDK's %q", ours, theirs)
			}
			s.exchanges(2)
		})
	}
}

// repositories are what the SDK lists, a page for each.
func (s *sdk) repositories(t *testing.T, host string, credential azcore.TokenCredential, options azcore.ClientOptions) (found []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), sdkLimit)
	defer cancel()
	client, err := azcontainerregistry.NewClient("https://"+host, credential, &azcontainerregistry.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	pages := client.NewListRepositoriesPager(&azcontainerregistry.ClientListRepositoriesOptions{MaxNum: to.Ptr[int32](1)})
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

// lists demands that a credential opens all there is.
func (s *sdk) lists(t *testing.T, host string, credential azcore.TokenCredential, options azcore.ClientOptions) {
	t.Helper()
	found, err := s.repositories(t, host, credential, options)
	if err != nil || !slices.Equal(found, []string{"app", "other"}) {
		t.Fatalf("repositories are %q: %v", found, err)
	}
	s.hasTag(t, host, credential, options)
}

// hasTag demands that the one tag is listed, and its manifest is what was pushed.
func (s *sdk) hasTag(t *testing.T, host string, credential azcore.TokenCredential, options azcore.ClientOptions) {
	t.Helper()
	client, err := azcontainerregistry.NewClient("https://"+host, credential, &azcontainerregistry.ClientOptions{ClientOptions: options})
	if err != nil {
		t.Fatal(err)
	}
	digest, err := dockerImage().Digest()
	if err != nil {
		t.Fatal(err)
	}
	page, err := client.NewListTagsPager("app", nil).NextPage(t.Context())
	if err != nil || len(page.Tags) != 1 || *page.Tags[0].Name != "1" || *page.Tags[0].Digest != digest.String() {
		t.Errorf("tags of app: %v", err)
	}
	manifest, err := client.GetManifest(t.Context(), "app", "1", &azcontainerregistry.ClientGetManifestOptions{
		Accept: to.Ptr(string(azcontainerregistry.ContentTypeApplicationVndDockerDistributionManifestV2JSON)),
	})
	if err != nil || *manifest.DockerContentDigest != digest.String() {
		t.Errorf("manifest of app:1: %v", err)
	}
}

// repositoriesBy are what a refresh token of the registry opens.
func (s *sdk) repositoriesBy(t *testing.T, refreshToken string) []string {
	t.Helper()
	auth, err := azcontainerregistry.NewAuthenticationClient("https://"+host, &azcontainerregistry.AuthenticationClientOptions{ClientOptions: s.options})
	if err != nil {
		t.Fatal(err)
	}
	access, err := auth.ExchangeACRRefreshTokenForACRAccessToken(t.Context(), host, "registry:catalog:*", refreshToken,
		&azcontainerregistry.AuthenticationClientExchangeACRRefreshTokenForACRAccessTokenOptions{GrantType: to.Ptr(azcontainerregistry.TokenGrantTypeRefreshToken)})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/acr/v1/_catalog", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+*access.AccessToken)
	answer, err := s.options.Transport.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var all struct{ Repositories []string }
	if err := json.NewDecoder(answer.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all.Repositories
}

// welcome demands that nothing was refused but what refusals are a part of: the
// SDK forgives a lot, so that its success alone says little.
func (s *sdk) welcome(t *testing.T) {
	t.Helper()
	for _, r := range s.cloud.Requests() {
		challenge := r.Status == http.StatusUnauthorized && (r.Kind == azuretest.KindData || r.Kind == azuretest.KindArc)
		probe := r.Kind == azuretest.KindIMDS && r.Header.Get("Metadata") == ""
		if r.Status != http.StatusOK && !challenge && !probe {
			t.Errorf("%s %s%s: %d %s", r.Method, r.Host, r.Path, r.Status, r.Why)
		}
	}
}

// clean demands that no secret went astray.
func (s *sdk) clean(t *testing.T) {
	t.Helper()
	if leaks, strangers := s.cloud.Leaks(), s.cloud.ForeignHosts(); len(leaks)+len(strangers) > 0 {
		t.Errorf("%d leaks, and strangers %q", len(leaks), strangers)
	}
}
