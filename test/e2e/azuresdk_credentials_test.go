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

// secretVars, certificateVars and federatedVars are the environment variables of an application.
var (
	secretVars      = []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"}
	certificateVars = []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"}
	federatedVars   = []string{"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"}
)

// sdkCredentials are azidentity's credentials. make returns one that Azure accepts if valid is true, and otherwise one
// that Azure refuses.
var sdkCredentials = []struct {
	name    string
	make    func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error)
	refusal string   // a part of azidentity's error
	kind    string   // of a request that the cloud must receive; "" for a token from a developer tool
	vars    []string // environment variables with which the program is the same identity
}{
	{"client secret", func(_ *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.bySecret(s.tenant.ID(), clientID, pick(valid, clientSecret, "wrong"))
	}, "AADSTS7000215", azuretest.KindEntraToken, nil},
	{"environment, secret", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byEnvironment(t, "AZURE_CLIENT_SECRET", pick(valid, clientSecret, "wrong"))
	}, "AADSTS7000215", azuretest.KindEntraToken, secretVars},
	{"environment, certificate", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		s.app.AddCertificate(certificates()[0].cert)
		path := s.write(filepath.Join(s.work, "app.pem"), certificates()[pick(valid, 0, 1)].pem)
		return s.byEnvironment(t, "AZURE_CLIENT_CERTIFICATE_PATH", path)
	}, "AADSTS700027", azuretest.KindEntraToken, certificateVars},
	{"certificate", func(_ *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		s.app.AddCertificate(certificates()[0].cert)
		return s.byCertificate(clientID, certificates()[pick(valid, 0, 1)], false)
	}, "AADSTS700027", azuretest.KindEntraToken, nil},
	{"certificate, by its subject", func(_ *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		app := s.tenant.AddServicePrincipal("", "")
		subject := pick(valid, "app.contoso.example", "another.contoso.example")
		app.AddCertificateSubject(subject, certificates()[0].cert)
		s.registry.Grant(app, azuretest.AcrPull)
		return s.byCertificate(app.ClientID(), certificates()[0], true)
	}, "AADSTS700030", azuretest.KindEntraToken, nil},
	{"workload identity", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		file := s.write(filepath.Join(s.work, "token"), s.clusterToken(valid))
		s.setApplication(t, "AZURE_FEDERATED_TOKEN_FILE", file)
		options := &azidentity.WorkloadIdentityCredentialOptions{ClientOptions: s.options}
		return azidentity.NewWorkloadIdentityCredential(options)
	}, "AADSTS700213", azuretest.KindEntraToken, federatedVars},
	{"workload identity, token proxy", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		s.useTokenProxy(t, valid)
		options := &azidentity.WorkloadIdentityCredentialOptions{ClientOptions: s.options, EnableAzureProxy: true}
		return azidentity.NewWorkloadIdentityCredential(options)
	}, "AADSTS700213", azuretest.KindTokenProxy, nil},
	{"client assertion", func(_ *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byAssertion(s.clusterToken(valid))
	}, "AADSTS700213", azuretest.KindEntraToken, nil},
	{"client assertion, managed identity", func(_ *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		s.app.AddManagedIdentityCredential(s.assigned)
		return s.byAssertion(pick(valid, s.assigned, s.other).AccessToken(s.tenant.ExchangeAudience(), 0))
	}, "AADSTS700213", azuretest.KindEntraToken, nil},
	{"Azure Pipelines", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byPipeline(t, pick(valid, "", "/other"), "")
	}, "AADSTS700213", azuretest.KindEntraToken, nil},
	{"Azure Pipelines, wrong access token", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byPipeline(t, "", pick(valid, "", "wrong"))
	}, "401 Unauthorized response from the OIDC endpoint", azuretest.KindEntraToken, nil},
	{"IMDS", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		var unknown azidentity.ManagedIDKind = azidentity.ClientID(s.other.ClientID())
		return s.byManagedIdentity(t, pick(valid, nil, unknown))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"IMDS, by client ID", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byManagedIdentity(t, azidentity.ClientID(pick(valid, s.assigned, s.other).ClientID()))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"IMDS, by object ID", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byManagedIdentity(t, azidentity.ObjectID(pick(valid, s.assigned, s.other).ObjectID()))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"IMDS, by resource ID", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		return s.byManagedIdentity(t, azidentity.ResourceID(pick(valid, s.assigned, s.other).ResourceID()))
	}, "Identity not found", azuretest.KindIMDS, nil},
	{"App Service", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		setenv(t, s.computer.AppService())
		return s.byManagedIdentity(t, azidentity.ResourceID(pick(valid, s.assigned, s.other).ResourceID()))
	}, "No User Assigned or Delegated Managed Identity found", azuretest.KindAppService, nil},
	{"Azure ML", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		setenv(t, s.computer.AzureML(pick(valid, s.assigned, s.other).ClientID()))
		return s.byManagedIdentity(t, nil)
	}, "No User Assigned or Delegated Managed Identity found", azuretest.KindAzureML, nil},
	{"Cloud Shell", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		setenv(t, s.computer.CloudShell())
		s.removeIdentitiesUnless(t, valid)
		return s.byManagedIdentity(t, nil)
	}, "Identity not found", azuretest.KindCloudShell, nil},
	{"Service Fabric", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		setenv(t, s.computer.ServiceFabric())
		s.removeIdentitiesUnless(t, valid)
		return s.byManagedIdentity(t, nil)
	}, "ManagedIdentityNotFound", azuretest.KindServiceFabric, nil},
	{"Service Fabric, other certificate", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		setenv(t, s.computer.ServiceFabric())
		if !valid {
			t.Setenv("IDENTITY_SERVER_THUMBPRINT", strings.Repeat("0", 40))
		}
		return s.byManagedIdentity(t, nil)
	}, "did not match IDENTITY_SERVER_THUMBPRINT", azuretest.KindServiceFabric, nil},
	{"Azure Arc", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		setenv(t, s.computer.Arc(makeArcKeyDir(t)))
		s.removeIdentitiesUnless(t, valid)
		return s.byManagedIdentity(t, nil)
	}, "Identity not found", azuretest.KindArc, nil},
	{"device code", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		t.Cleanup(func() {
			if why := s.lastRefusal(); !valid && why != "AADSTS65004" {
				t.Errorf("refused with %s", why)
			}
		})
		return azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: s.options, TenantID: s.tenant.ID(),
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				return s.cloud.EnterCode(m.UserCode, s.user, pick(valid, azuretest.SignIn, azuretest.Decline))
			},
		})
	}, "RESPONSE 400: 400 Bad Request", azuretest.KindDeviceCode, nil}, // MSAL drops the text
	{"browser", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		s.addBrowser(t, pick(valid, azuretest.SignIn, azuretest.Decline))
		return azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{
			ClientOptions: s.options, TenantID: s.tenant.ID(),
		})
	}, "AADSTS65004", azuretest.KindAuthorize, nil},
	{"Azure CLI", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		token := fmt.Sprintf(`{"accessToken":"%s","expires_on":%d,"expiresOn":"x","tenant":"%s","tokenType":"Bearer"}`,
			s.userToken(), time.Now().Add(time.Hour).Unix(), s.tenant.ID())
		const refusal = "ERROR: AADSTS700082: The refresh token has expired due to inactivity."
		s.addTool(t, "az", "account get-access-token -o json --resource https://containerregistry.azure.net",
			pick(valid, "echo '"+token+"'", "echo '"+refusal+"' >&2; exit 1"))
		return azidentity.NewAzureCLICredential(nil)
	}, "AADSTS700082", "", nil},
	{"Azure Developer CLI", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		token := fmt.Sprintf(`{"token":"%s","expiresOn":"%s"}`,
			s.userToken(), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		const refusal = `{"type":"consoleMessage","data":{"message":"AADSTS700082: The refresh token has expired"}}`
		s.addTool(t, "azd", "auth token -o json --no-prompt --scope https://containerregistry.azure.net/.default",
			pick(valid, "echo '"+token+"'", "echo '"+refusal+"' >&2; exit 1"))
		return azidentity.NewAzureDeveloperCLICredential(nil)
	}, "AADSTS700082", "", nil},
	{"default, on an Azure VM", func(t *testing.T, s *sdk, valid bool) (azcore.TokenCredential, error) {
		t.Setenv("PATH", s.dir("no-tools"))
		s.removeIdentitiesUnless(t, valid)
		s.shortenTokens(t)
		options := &azidentity.DefaultAzureCredentialOptions{ClientOptions: s.options}
		return azidentity.NewDefaultAzureCredential(options)
	}, "Identity not found", azuretest.KindIMDS, nil},
}
