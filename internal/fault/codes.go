package fault

import (
	"cmp"
	"strconv"
	"strings"
)

// A Code tells failures apart, for scripts and for advice. The numbers of Microsoft Entra ID
// (AADSTS7000215) are codes as they are.
type Code string

const aadsts = "AADSTS"

// anyAADSTS is the table's row for numbers that it doesn't have.
const anyAADSTS Code = "AADSTS…"

// AADSTS is the code of one of Microsoft Entra ID's own numbers.
func AADSTS(number int) Code { return Code(aadsts + strconv.Itoa(number)) }

// The codes, in the order of the document.
const (
	// What is configured: nothing was tried yet.
	Config                Code = "config"
	ConfigUntrusted       Code = "config-untrusted"
	ConfigDenied          Code = "config-denied"
	ConfigDirectory       Code = "config-directory"
	ConfigCredential      Code = "config-credential"
	ConfigCredentialOwner Code = "config-credential-owner"
	ConfigTokenFile       Code = "config-token-file"
	ConfigAzureCLI        Code = "config-az"
	ConfigAzureCLIMissing Code = "config-az-missing"
	ConfigAzureCLICloud   Code = "config-az-cloud"
	ConfigSubscription    Code = "config-az-subscription"
	ConfigAzdCloud        Code = "config-azd-cloud"
	ConfigPowerShellCloud Code = "config-pwsh-cloud"
	Environment           Code = "environment"
	Variable              Code = "variable"
	VariableClientID      Code = "variable-client-id"
	VariablePath          Code = "variable-path"
	VariableQuotes        Code = "variable-quotes"
	VariablePlaceholder   Code = "variable-placeholder"
	VariableFile          Code = "variable-file"
	WorkloadClientID      Code = "workload-client-id"
	WrongCloud            Code = "wrong-cloud"
	GitHubPermission      Code = "github-permission"
	PipelinesToken        Code = "pipelines-token"
	PipelinesConnection   Code = "pipelines-connection"
	UserSignedOut         Code = "signed-out"
	LoginPatterns         Code = "login-patterns"
	Settings              Code = "settings"
	SettingsUnknown       Code = "settings-unknown"

	// What kubelet's requests depend on.
	AzureJSON          Code = "azure-json"
	AzureJSONUntrusted Code = "azure-json-untrusted"
	AzureJSONCloud     Code = "azure-json-cloud"
	AzureJSONTenant    Code = "azure-json-tenant"
	ServiceAccount     Code = "service-account"

	// The vault and its key.
	LoginKeyring       Code = "login-keyring"
	LoginElsewhere     Code = "login-elsewhere"
	LoginKeyGone       Code = "login-key-gone"
	LoginNamespace     Code = "login-namespace"
	LoginNewer         Code = "login-newer"
	LoginDamaged       Code = "login-damaged"
	LoginVault         Code = "login-vault"
	LoginChanged       Code = "login-changed"
	KeyStays           Code = "key-stays"
	Busy               Code = "busy"
	KeyringLocked      Code = "keyring-locked"
	KeychainLocked     Code = "keychain-locked"
	KeyringUnavailable Code = "keyring-unavailable"
	KeyringNone        Code = "keyring-none"
	KeyFile            Code = "key-file"
	FileOpen           Code = "file-open"

	// Requests over HTTP, to any server.
	UnexpectedHost Code = "http-unexpected-host"
	Redirect       Code = "http-redirect"
	NotJSON        Code = "http-not-json"
	TooLong        Code = "http-too-long"
	DNS            Code = "http-dns"
	Proxy          Code = "http-proxy"
	ProxyPassword  Code = "http-proxy-password"
	ProxyDenied    Code = "http-proxy-denied"
	ProxyFailed    Code = "http-proxy-failed"
	TLS            Code = "http-tls"
	NoRoots        Code = "http-no-roots"
	Timeout        Code = "http-timeout"
	Broken         Code = "http-broken"
	Unreachable    Code = "http-unreachable"

	// Microsoft Entra ID, where it gives no number of its own.
	EntraThrottled   Code = "entra-429"
	EntraUnavailable Code = "entra-5xx"
	EntraOther       Code = "entra-other"

	// A user who signs in.
	SignInAgain       Code = "signin-again"
	SignInDeclined    Code = "signin-declined"
	SignInTimeout     Code = "signin-timeout"
	SignInInterrupted Code = "signin-interrupted"
	SignInPort        Code = "signin-port"
	SignInOpened      Code = "signin-opened"
	SignInDeviceCode  Code = "signin-code"

	// What an application signs in with.
	FederatedTokenMissing   Code = "federated-token-missing"
	FederatedTokenMalformed Code = "federated-token-malformed"
	FederatedTokenExpired   Code = "federated-token-expired"
	IssuerURL               Code = "federated-token-issuer-url"
	IssuerRefused           Code = "federated-token-refused"
	IssuerConnection        Code = "federated-token-connection"
	IssuerUnavailable       Code = "federated-token-unavailable"
	FederatedTokenManaged   Code = "federated-token-managed"
	TokenProxy              Code = "token-proxy"
	Certificate             Code = "certificate"
	CertificatePassword     Code = "certificate-password"
	CertificateOutdated     Code = "certificate-outdated"

	// Endpoints of managed identities.
	IMDSAbsent             Code = "managed-identity-no-imds"
	NoManagedIdentity      Code = "managed-identity-none"
	SeveralIdentities      Code = "managed-identity-several"
	IdentityOnly           Code = "managed-identity-only"
	IdentitySelector       Code = "managed-identity-selector"
	EndpointMismatch       Code = "managed-identity-mismatch"
	EndpointVariable       Code = "managed-identity-variable"
	ArcKeyFile             Code = "managed-identity-key-file"
	ServiceFabricPin       Code = "managed-identity-pin"
	ServiceFabricTransport Code = "managed-identity-transport"
	EndpointThrottled      Code = "managed-identity-429"
	EndpointUnavailable    Code = "managed-identity-5xx"
	EndpointOther          Code = "managed-identity-other"

	// Developer tools.
	ToolArgument         Code = "tool-argument"
	AzureCLIMissing      Code = "az-missing"
	AzureCLISignedOut    Code = "az-signed-out"
	AzureCLITimeout      Code = "az-timeout"
	AzureCLIFailed       Code = "az-failed"
	AzureCLITenant       Code = "az-other-tenant"
	AzureCLISubscription Code = "az-no-subscription"
	AzdMissing           Code = "azd-missing"
	AzdSignedOut         Code = "azd-signed-out"
	AzdTimeout           Code = "azd-timeout"
	AzdFailed            Code = "azd-failed"
	PowerShellMissing    Code = "pwsh-missing"
	PowerShellModule     Code = "pwsh-no-module"
	PowerShellSignedOut  Code = "pwsh-signed-out"
	PowerShellTimeout    Code = "pwsh-timeout"
	PowerShellFailed     Code = "pwsh-failed"
	PowerShellTenant     Code = "pwsh-other-tenant"

	// Refusals by the registry.
	RegistryUnauthorized Code = "acr-401"
	RegistryFirewall     Code = "acr-firewall"
	RegistryDenied       Code = "acr-403"
	RegistryNotFound     Code = "acr-404"
	RegistryTooLarge     Code = "acr-413"
	RegistryThrottled    Code = "acr-429"
	RegistryUnavailable  Code = "acr-5xx"
	RegistryOther        Code = "acr-other"
	RegistryExpired      Code = "acr-expired"
	RegistryPassword     Code = "acr-password"

	// The delegate, and the files of Docker and Podman.
	DelegateMissing   Code = "delegate-missing"
	DelegateItself    Code = "delegate-itself"
	DelegateTimeout   Code = "delegate-timeout"
	DelegateFailed    Code = "delegate-failed"
	ClientOtherHelper Code = "client-other-helper"
	ClientLaterFile   Code = "client-later-file"
	ClientMalformed   Code = "client-file-malformed"
	ClientDropIn      Code = "client-drop-in"
	ClientFileChanged Code = "client-file-changed"
	FileForeign       Code = "file-foreign"
	FileDenied        Code = "file-denied"
	FileNoModes       Code = "file-no-modes"

	// Findings of doctor that no get would meet as an error.
	OK                  Code = "ok"
	Skipped             Code = "skipped"
	Failed              Code = "failed"
	BinaryNotOnPath     Code = "binary-not-on-path"
	BinaryShadowed      Code = "binary-shadowed"
	BinaryForeign       Code = "binary-foreign"
	VaultNoPlace        Code = "vault-no-place"
	VaultNotUsed        Code = "vault-not-used"
	NoHome              Code = "no-home"
	DockerNotConfigured Code = "docker-not-configured"
	DockerName          Code = "docker-name"
	DockerOtherHelper   Code = "docker-other-helper"
	DockerConfig        Code = "docker-config"
	DockerPlaintext     Code = "docker-plaintext-credential"
	DockerAuthConfig    Code = "docker-auth-config"
	PodmanNotConfigured Code = "podman-not-configured"
	PodmanOtherHelper   Code = "podman-other-helper"
	PodmanConfig        Code = "podman-config"
	PodmanPlaintext     Code = "podman-plaintext-credential"
	HelmPlaintext       Code = "helm-plaintext-credential"
	RegctlPlaintext     Code = "regctl-plaintext-credential"
	DockerNotListed     Code = "docker-not-listed"
	NoIdentity          Code = "no-identity"
	JobGitHub           Code = "job-github"
	JobPipelines        Code = "job-pipelines"
	JobGitLab           Code = "job-gitlab"
	NoVariables         Code = "no-variables"
	Clock               Code = "clock"
	ChallengeBasic      Code = "challenge-basic"
	ChallengeNone       Code = "challenge-none"
	ChallengeRealm      Code = "challenge-realm"
	PermissionsNone     Code = "permissions-none"
	PermissionsNoPull   Code = "permissions-no-pull"
	AnonymousRefused    Code = "anonymous-refused"
	PasswordRefused     Code = "password-refused"
)

// Meaning returns the sentence of a code; for one that isn't in the table what can be
// said of it anyway.
func (c Code) Meaning() string {
	return cmp.Or(find(c, "").meaning, find(c.class(), "").meaning, string(c))
}

// IsKnown reports whether the table has the code.
func (c Code) IsKnown() bool { return find(c, "").codes != nil }

// class returns the code whose advice serves for c, which the table doesn't have.
func (c Code) class() Code {
	if strings.HasPrefix(string(c), aadsts) {
		return anyAADSTS
	}
	return Failed
}
