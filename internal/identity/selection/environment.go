package selection

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// envNames are the names of the variables in which one kind of tool looks for an
// application and its credential; "" for what it doesn't have. The variables of two tools
// are never mixed, because a half of each is a mistake.
type envNames struct {
	clientID, tenant, secret                             string
	certificate, certificatePassword, certificateContent string // a path; its password; PKCS#12 in base64
	tokenFile, token                                     string
	// connection is a service connection of Azure Pipelines. requestURL and requestToken
	// are used instead of the CI system's own variables.
	connection, requestURL, requestToken string
	// Switches: tokens count only if oidc is on; aks takes the token file of AKS's
	// variables, msi a managed identity.
	oidc, aks, msi string
}

// azureVars are the variables of the Azure SDKs (azidentity's EnvironmentCredential and
// WorkloadIdentityCredential) and the inline token that other helpers for ACR read;
// armVars are those of Terraform's azurerm provider.
var (
	azureVars = &envNames{
		clientID: "AZURE_CLIENT_ID", tenant: "AZURE_TENANT_ID", secret: "AZURE_CLIENT_SECRET",
		certificate: "AZURE_CLIENT_CERTIFICATE_PATH", certificatePassword: "AZURE_CLIENT_CERTIFICATE_PASSWORD",
		tokenFile: "AZURE_FEDERATED_TOKEN_FILE", token: "AZURE_FEDERATED_TOKEN",
		connection: "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
	}
	armVars = &envNames{
		clientID: "ARM_CLIENT_ID", tenant: "ARM_TENANT_ID", secret: "ARM_CLIENT_SECRET",
		certificate: "ARM_CLIENT_CERTIFICATE_PATH", certificatePassword: "ARM_CLIENT_CERTIFICATE_PASSWORD",
		certificateContent: "ARM_CLIENT_CERTIFICATE",
		tokenFile:          "ARM_OIDC_TOKEN_FILE_PATH", token: "ARM_OIDC_TOKEN",
		connection: "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
		requestURL: "ARM_OIDC_REQUEST_URL", requestToken: "ARM_OIDC_REQUEST_TOKEN",
		oidc: "ARM_USE_OIDC", aks: "ARM_USE_AKS_WORKLOAD_IDENTITY", msi: "ARM_USE_MSI",
	}
)

// Variables that the AzureCLI task of Azure Pipelines sets.
const (
	pipelinesClientID = "AZURESUBSCRIPTION_CLIENT_ID"
	pipelinesTenant   = "AZURESUBSCRIPTION_TENANT_ID"
)

// fromVariables returns the credential that a tool's variables hold, without its owner:
// the first one that is set, with its variable as the source. Kind None means that none
// is set.
func (s Selector) fromVariables(f *envNames) (identity.Identity, error) {
	oidc := f.oidc == "" || s.isOn(f.oidc)
	switch {
	case s.getenv(f.secret) != "":
		value := secret.New(s.getenv(f.secret))
		return identity.Identity{
			Kind: identity.ServicePrincipal, Secret: value, Fingerprint: value.Fingerprint(),
			Source: identity.Source{Kind: identity.FromEnvironment, Name: f.secret},
		}, nil
	case s.getenv(f.certificate) != "":
		return s.certificateFile(s.getenv(f.certificate), f.certificatePassword, variable(f.certificate))
	case s.getenv(f.certificateContent) != "":
		content, err := certificateContent(s.getenv(f.certificateContent))
		if err != nil {
			return identity.Identity{}, s.invalid(fault.Variable, f.certificateContent, "is not base64")
		}
		return s.certificate(content, f.certificatePassword, variable(f.certificateContent)), nil
	case oidc && s.getenv(f.tokenFile) != "":
		return s.tokenFile(identity.WorkloadIdentity, s.getenv(f.tokenFile), variable(f.tokenFile))
	case oidc && s.getenv(f.token) != "":
		return s.token(f.token)
	case s.isOn(f.aks):
		return s.tokenFile(identity.WorkloadIdentity, s.getenv(azureVars.tokenFile), variable(azureVars.tokenFile))
	case !oidc:
		return identity.Identity{}, nil
	}
	if id := s.jobToken(identity.AzurePipelines, f, s.getenv(f.connection)); id.Kind != identity.None {
		return id, nil
	}
	return s.jobToken(identity.GitHubActions, f, ""), nil
}

// fromEnvironment returns the application that the environment names with its credential,
// or the managed identity of the host that runs us. If none of the variables is set, it
// is None; if some are, it is an error that names the others, because using another
// identity instead would hide a typing error.
func (s Selector) fromEnvironment(host registry.Host, e config.Entry) (identity.Identity, error) {
	f := azureVars
	// AKS sets AZURE_FEDERATED_TOKEN_FILE in any case.
	aks := s.getenv(azureVars.clientID) == "" && s.isOn(armVars.aks)
	if s.isUsed(armVars) && (aks || !s.isUsed(azureVars)) {
		f = armVars
	}
	switch {
	case s.isOn(f.msi):
		id := s.managedIdentity(config.Entry{ClientID: s.getenv(f.clientID)}, variable(f.msi))
		return id, s.validate(host, f, id)
	case s.isUsed(f):
		id, err := s.applicationFrom(host, f, e)
		id.Source.Terraform = f == armVars
		return id, err
	}
	// App Service and similar hosts issue tokens to what runs there.
	hosted := identity.DetectEndpoint(s.getenv, func(string) bool { return false })
	if hosted == "" {
		return identity.Identity{}, nil
	}
	return s.managedIdentity(config.Entry{}, identity.Source{Kind: identity.FromEndpoint, Name: string(hosted)}), nil
}

// isUsed reports whether more of a tool's variables than the tenant is set: AZURE_TENANT_ID
// alone is only a default, and a credential alone may be for an entry of the config file.
func (s Selector) isUsed(f *envNames) bool {
	// Variables of the AzureCLI task count as Azure SDK variables.
	if s.getenv(f.clientID) != "" || s.isOn(f.msi) ||
		f == azureVars && s.jobToken(identity.AzurePipelines, f, s.getenv(f.connection)).Kind != identity.None {
		return true
	}
	for _, name := range []string{f.secret, f.certificate, f.certificateContent, f.tokenFile, f.token} {
		if s.getenv(name) != "" {
			return !s.Config.HasApplication()
		}
	}
	return false
}

// applicationFrom returns the application that a tool's variables name.
func (s Selector) applicationFrom(host registry.Host, f *envNames, e config.Entry) (identity.Identity, error) {
	id, err := s.fromVariables(f)
	if err != nil {
		return identity.Identity{}, err
	}
	id.ClientID, id.Tenant = s.getenv(f.clientID), cmp.Or(e.Tenant, s.getenv(f.tenant))
	if id.Kind == identity.AzurePipelines {
		id.ClientID = cmp.Or(id.ClientID, s.getenv(pipelinesClientID))
		id.Tenant = cmp.Or(id.Tenant, s.getenv(pipelinesTenant))
	}
	switch {
	// Alone, the client ID names a managed identity, as in azidentity's
	// DefaultAzureCredential.
	case id.Kind == identity.None && id.ClientID != "" && s.MayHaveManagedIdentity():
		id = s.managedIdentity(config.Entry{ClientID: id.ClientID}, variable(f.clientID))
	case id.Kind == identity.None, id.ClientID == "", id.Tenant == "":
		return s.incomplete(f, id)
	case !text.IsTenant(id.Tenant):
		return identity.Identity{}, s.invalid(fault.Variable, f.tenant, "is neither a GUID nor a domain")
	// A user looks for the application, not for its secret or its job's variables.
	case s.getenv(f.clientID) != "" && (id.Source.Name == f.secret || id.Kind == identity.GitHubActions ||
		id.Kind == identity.AzurePipelines):
		id.Source.Name = f.clientID
	}
	return id, s.validate(host, f, id)
}

// incomplete refuses an application of which only a part is set.
func (s Selector) incomplete(f *envNames, id identity.Identity) (identity.Identity, error) {
	hasCredential := id.Kind != identity.None
	credential := cmp.Or(id.Source.Name, f.secret)
	var set, missing []string
	// A token that counts only with a switch is set: then the switch is what is missing.
	for _, name := range []string{f.tokenFile, f.token} {
		if !hasCredential && f.oidc != "" && !s.isOn(f.oidc) && s.getenv(name) != "" {
			credential, set = f.oidc, append(set, name)
		}
	}
	for _, v := range []struct {
		name  string
		isSet bool
	}{{f.clientID, id.ClientID != ""}, {f.tenant, id.Tenant != ""}, {credential, hasCredential}} {
		if v.isSet {
			set = append(set, v.name)
		} else {
			missing = append(missing, v.name)
		}
	}
	switch {
	case !hasCredential && id.ClientID != "" && s.getenv("GITHUB_ACTIONS") == "true":
		return refuse(fault.GitHubPermission, "%s is set, but GitHub Actions does not issue an ID token to this job",
			f.clientID)
	case !hasCredential && id.ClientID != "" && s.getenv("SYSTEM_OIDCREQUESTURI") != "":
		return s.noPipelinesToken(f, s.getenv(f.connection), f.clientID+" is set, but ")
	}
	code := fault.Environment
	if id.Kind == identity.WorkloadIdentity && id.ClientID == "" && s.isInPod() {
		code = fault.WorkloadClientID // AKS sets everything else
	}
	return refuse(code, "%s not set (%s)", areOf(missing), areOf(set))
}

// areOf joins names for a sentence: "A is", "A and B are", "A, B and C are".
func areOf(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0] + " is"
	}
	return strings.Join(names[:last], ", ") + " and " + names[last] + " are"
}

// invalid is the error for a variable's value.
func (s Selector) invalid(code fault.Code, variable, format string, args ...any) error {
	return fault.InvalidVariable(code, variable, s.getenv(variable), fmt.Sprintf(format, args...))
}

// certificateContent decodes a certificate in a variable: base64, which may be in several
// lines, or PEM.
func certificateContent(value string) ([]byte, error) {
	if strings.Contains(value, "-----BEGIN ") {
		return []byte(value), nil
	}
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
}

// armClouds maps Terraform's names of environments to those of Azure CLI.
var armClouds = map[string]string{
	"public": "AzureCloud", "usgovernment": "AzureUSGovernment", "china": "AzureChinaCloud", "german": "AzureGermanCloud",
}

// validate refuses what can't be a client ID, and an AZURE_AUTHORITY_HOST or
// ARM_ENVIRONMENT of another cloud than the registry's, before any request: the secret
// belongs to the cloud that the variable names, and the token would be worthless to the
// registry.
func (s Selector) validate(host registry.Host, f *envNames, id identity.Identity) error {
	if id.ClientID != "" && !text.IsGUID(id.ClientID) {
		return s.invalid(fault.VariableClientID, f.clientID, "is not a GUID")
	}
	cloud := host.Cloud()
	if f == armVars {
		value := strings.ToLower(s.getenv("ARM_ENVIRONMENT"))
		if known := armClouds[value]; value != "" && (known == "" || known != cloud.AzureCLI) {
			return s.invalid(fault.WrongCloud, "ARM_ENVIRONMENT", "is %q, but the registry belongs to the %s cloud",
				value, cloud.Name)
		}
		return nil
	}
	const authorityVar = "AZURE_AUTHORITY_HOST"
	value := s.getenv(authorityVar)
	switch u, err := url.Parse(value); {
	case value == "":
	case err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || strings.Trim(u.Path, "/") != "":
		return s.invalid(fault.Variable, authorityVar, "is not of the form https://HOST/")
	case !cloud.HasAuthority(strings.ToLower(u.Host)):
		return s.invalid(fault.WrongCloud, authorityVar, "is %s, but the registry belongs to the %s cloud (%s)",
			text.Line(u.Host), cloud.Name, cloud.Authority)
	}
	return nil
}
