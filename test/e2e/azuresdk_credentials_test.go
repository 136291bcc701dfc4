package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// sdkCredentials are azidentity's, in one way that Azure accepts and one that it
// refuses.
var sdkCredentials = []struct {
	name    string
	make    func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error)
	refusal string
	asks    string   // what the cloud must have been asked; "" for a token that a tool printed
	environ []string // variables by which the program is the same identity
}{
	{"client secret", func(_ *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		return azidentity.NewClientSecretCredential(s.tenant.ID(), clientID, pick(right, clientSecret, "wrong"), &azidentity.ClientSecretCredentialOptions{ClientOptions: s.options})
	}, "AADSTS7000215", azuretest.KindEntraToken, nil},
	{"environment, secret", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, map[string]string{"AZURE_TENANT_ID": s.tenant.ID(), "AZURE_CLIENT_ID": clientID, "AZURE_CLIENT_SECRET": pick(right, clientSecret, "wrong")})
		return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: s.options})
	}, "AADSTS7000215", azuretest.KindEntraToken, []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}},
	{"environment, certificate", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		c := certificates()[pick(right, 0, 1)]
		s.app.AddCertificate(certificates()[0].cert)
		setenv(t, map[string]string{"AZURE_TENANT_ID": s.tenant.ID(), "AZURE_CLIENT_ID": clientID, "AZURE_CLIENT_CERTIFICATE_PATH": s.write(filepath.Join(s.work, "app.pem"), c.pem)})
		return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: s.options})
	}, "AADSTS700027", azuretest.KindEntraToken, []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"}},
	{"certificate", func(_ *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		s.app.AddCertificate(certificates()[0].cert)
		return s.byCertificate(clientID, certificates()[pick(right, 0, 1)], false)
	}, "AADSTS700027", azuretest.KindEntraToken, nil},
	{"certificate, by its subject", func(_ *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		app := s.tenant.AddServicePrincipal("", "")
		app.AddCertificateSubject(pick(right, "app.contoso.example", "another.contoso.example"), certificates()[0].cert)
		s.registry.Grant(app, azuretest.AcrPull)
		return s.byCertificate(app.ClientID(), certificates()[0], true)
	}, "AADSTS700030", azuretest.KindEntraToken, nil},
	{"workload identity", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		file := s.write(filepath.Join(s.work, "token"), s.clusterToken(right))
		setenv(t, map[string]string{"AZURE_TENANT_ID": s.tenant.ID(), "AZURE_CLIENT_ID": clientID, "AZURE_FEDERATED_TOKEN_FILE": file})
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: s.options})
	}, "AADSTS700213", azuretest.KindEntraToken, []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"}},
	{"workload identity, through a cluster's token proxy", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		s.proxied(t, right)
		return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{ClientOptions: s.options, EnableAzureProxy: true})
	}, "AADSTS700213", azuretest.KindTokenProxy, nil},
	{"client assertion", func(_ *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		token := s.clusterToken(right)
		return azidentity.NewClientAssertionCredential(s.tenant.ID(), clientID, func(context.Context) (string, error) { return token, nil }, &azidentity.ClientAssertionCredentialOptions{ClientOptions: s.options})
	}, "AADSTS700213", azuretest.KindEntraToken, nil},
	{"client assertion of a managed identity", func(_ *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		s.app.AddManagedIdentityCredential(s.assigned)
		token := pick(right, s.assigned, s.other).AccessToken(s.tenant.ExchangeAudience(), 0)
		return azidentity.NewClientAssertionCredential(s.tenant.ID(), clientID, func(context.Context) (string, error) { return token, nil }, &azidentity.ClientAssertionCredentialOptions{ClientOptions: s.options})
	}, "AADSTS700213", azuretest.KindEntraToken, nil},
	{"Azure Pipelines", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		organization := s.cloud.AddAzurePipelines("contoso")
		job := organization.Job()
		connection, subject := job.AddServiceConnection("registry")
		s.app.AddFederatedCredential(organization.Issuer(), subject+pick(right, "", "/other"), "")
		setenv(t, map[string]string{"SYSTEM_OIDCREQUESTURI": job.RequestURL()})
		return azidentity.NewAzurePipelinesCredential(s.tenant.ID(), clientID, connection, job.RequestToken(), &azidentity.AzurePipelinesCredentialOptions{ClientOptions: s.options})
	}, "AADSTS700213", azuretest.KindEntraToken, nil},
	{"Azure Pipelines, wrong access token", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		organization := s.cloud.AddAzurePipelines("contoso")
		job := organization.Job()
		connection, subject := job.AddServiceConnection("registry")
		s.app.AddFederatedCredential(organization.Issuer(), subject, "")
		setenv(t, map[string]string{"SYSTEM_OIDCREQUESTURI": job.RequestURL()})
		return azidentity.NewAzurePipelinesCredential(s.tenant.ID(), clientID, connection, pick(right, job.RequestToken(), "wrong"), &azidentity.AzurePipelinesCredentialOptions{ClientOptions: s.options})
	}, "401 Unauthorized response from the OIDC endpoint", azuretest.KindEntraToken, nil},
	{"IMDS", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		return s.managed(t, pick(right, nil, azidentity.ManagedIDKind(azidentity.ClientID(s.other.ClientID()))))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"IMDS, by client id", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		return s.managed(t, azidentity.ClientID(pick(right, s.assigned, s.other).ClientID()))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"IMDS, by object id", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		return s.managed(t, azidentity.ObjectID(pick(right, s.assigned, s.other).ObjectID()))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"IMDS, by resource id", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		return s.managed(t, azidentity.ResourceID(pick(right, s.assigned, s.other).ResourceID()))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"App Service", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, s.machine.AppService())
		return s.managed(t, azidentity.ResourceID(pick(right, s.assigned, s.other).ResourceID()))
	}, "No User Assigned or Delegated Managed Identity found", azuretest.KindAppService, nil},
	{"Azure ML", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, s.machine.AzureML(pick(right, s.assigned, s.other).ClientID()))
		return s.managed(t, nil)
	}, "No User Assigned or Delegated Managed Identity found", azuretest.KindAzureML, nil},
	{"Cloud Shell", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, s.machine.CloudShell())
		s.lend(t, right)
		return s.managed(t, nil)
	}, "Identity not found", azuretest.KindCloudShell, nil},
	{"Service Fabric", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, s.machine.ServiceFabric())
		s.lend(t, right)
		return s.managed(t, nil)
	}, "ManagedIdentityNotFound", azuretest.KindServiceFabric, nil},
	{"Service Fabric, another certificate", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, s.machine.ServiceFabric())
		if !right {
			t.Setenv("IDENTITY_SERVER_THUMBPRINT", strings.Repeat("0", 40))
		}
		return s.managed(t, nil)
	}, "did not match IDENTITY_SERVER_THUMBPRINT", azuretest.KindServiceFabric, nil},
	{"Azure Arc", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		setenv(t, s.machine.Arc(arcKeys(t)))
		s.lend(t, right)
		return s.managed(t, nil)
	}, "Identity not found", azuretest.KindArc, nil},
	{"device code", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		t.Cleanup(func() {
			if why := s.lastRefusal(); !right && why != "AADSTS65004" {
				t.Errorf("refused with %s", why)
			}
		})
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: s.options, TenantID: s.tenant.ID(),
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				return s.cloud.EnterCode(m.UserCode, s.person, pick(right, azuretest.SignsIn, azuretest.Declines))
			},
		})
	}, "RESPONSE 400: 400 Bad Request", azuretest.KindDeviceCode, nil}, // MSAL loses the text while it looks whether to wait on

	{"browser", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		s.openBrowser(t, pick(right, azuretest.SignsIn, azuretest.Declines))
		return azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{ClientOptions: s.options, TenantID: s.tenant.ID()})
	}, "AADSTS65004", azuretest.KindAuthorize, nil},
	{"Azure CLI", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		s.tool(t, "az", "account get-access-token -o json --resource https://containerregistry.azure.net", pick(right,
			fmt.Sprintf(`echo '{"accessToken":"%s","expires_on":%d,"expiresOn":"x","tenant":"%s","tokenType":"Bearer"}'`, s.personToken(), time.Now().Add(time.Hour).Unix(), s.tenant.ID()),
			"echo 'ERROR: AADSTS700082: The refresh token has expired due to inactivity.' >&2; exit 1"))
		return azidentity.NewAzureCLICredential(nil)
	}, "AADSTS700082", "", nil},
	{"Azure Developer CLI", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		s.tool(t, "azd", "auth token -o json --no-prompt --scope https://containerregistry.azure.net/.default", pick(right,
			fmt.Sprintf(`echo '{"token":"%s","expiresOn":"%s"}'`, s.personToken(), time.Now().Add(time.Hour).UTC().Format(time.RFC3339)),
			`echo '{"type":"consoleMessage","data":{"message":"AADSTS700082: The refresh token has expired"}}' >&2; exit 1`))
		return azidentity.NewAzureDeveloperCLICredential(nil)
	}, "AADSTS700082", "", nil},
	{"default, on a virtual machine", func(t *testing.T, s *sdk, right bool) (azcore.TokenCredential, error) {
		t.Setenv("PATH", s.dir("no-tools"))
		s.lend(t, right)
		s.shorten(t)
		return azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: s.options})
	}, "Identity not found", azuretest.KindIMDS, nil},
}
