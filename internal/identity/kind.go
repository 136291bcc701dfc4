package identity

// A Kind says how an identity signs in. The values are those of the config file and of
// vault entries, so they never change.
type Kind string

const (
	// None is no identity: the registry may allow anonymous pull.
	None Kind = ""
	// Anonymous is no identity because the user wants none, so there is no advice about
	// it.
	Anonymous Kind = "anonymous"
	// User is a user who signed in with our login command.
	User Kind = "user"
	// ServicePrincipal is an application in Microsoft Entra with a client secret or a
	// certificate.
	ServicePrincipal Kind = "service-principal"
	// WorkloadIdentity is an application with a token that Kubernetes puts into a file.
	WorkloadIdentity Kind = "workload-identity"
	// FederatedToken is an application with the token of another issuer: a CI system's in
	// a variable or file, or that of a managed identity.
	FederatedToken Kind = "federated-token"
	// GitHubActions is an application with a token of GitHub's OIDC issuer.
	GitHubActions Kind = "github-actions"
	// AzurePipelines is an application with a token of Azure DevOps, for a service
	// connection.
	AzurePipelines Kind = "azure-pipelines"
	// ManagedIdentity is an identity that Azure gives to a computer or to a hosted
	// application.
	ManagedIdentity Kind = "managed-identity"
	// AzureCLI is the account that is signed in to Azure CLI.
	AzureCLI Kind = "azure-cli"
	// AzureDeveloperCLI is the account that is signed in to azd.
	AzureDeveloperCLI Kind = "azd"
	// AzurePowerShell is the account that is signed in to the Az modules of PowerShell.
	AzurePowerShell Kind = "azure-powershell"
	// RegistryUser is a user of the registry itself, unknown to Entra: its admin user or
	// a repository-scoped token. What was stored is returned verbatim.
	RegistryUser Kind = "registry-user"
	// ACRToken is an ACR token that another program obtained and stored, as az acr login
	// does. It can't be renewed.
	ACRToken Kind = "acr-token"
	// TokenSource is what a function of the program that uses the library signs in as.
	TokenSource Kind = "token-source"
)

// applications are the kinds that are applications in Microsoft Entra, as messages call
// them.
var applications = map[Kind]string{
	ServicePrincipal: "service principal", WorkloadIdentity: "workload identity", FederatedToken: "federated application",
	GitHubActions: "GitHub Actions application", AzurePipelines: "Azure Pipelines application",
}

// IsApplication reports whether the kind is an application with a client ID in Microsoft
// Entra.
func (k Kind) IsApplication() bool { return applications[k] != "" }

// ApplicationName is how messages call a kind of application; "" for other kinds.
func (k Kind) ApplicationName() string { return applications[k] }
