package fault

import (
	"strconv"
	"strings"
)

// A Code tells failures apart, for scripts and for advice. The numbers of Microsoft Entra
// (AADSTS7000215) are codes as they are.
type Code string

const aadsts = "AADSTS"

// AADSTS is the code of one of Microsoft Entra's own numbers.
func AADSTS(number int) Code { return Code(aadsts + strconv.Itoa(number)) }

// The codes, in the order of the document.
const (
	// What is configured: nothing was tried yet.
	Config                Code = "config"
	ConfigUntrusted       Code = "config-mode"
	ConfigCredential      Code = "config-proof"
	ConfigAzureCLI        Code = "config-az"
	ConfigAzureCLIMissing Code = "config-az-missing"
	ConfigAzureCLICloud   Code = "config-az-cloud"
	ConfigSubscription    Code = "config-az-subscription"
	ConfigAzdCloud        Code = "config-azd-cloud"
	ConfigPowerShellCloud Code = "config-pwsh-cloud"
	Environment           Code = "environment"
	Variable              Code = "variable"
	WrongCloud            Code = "wrong-cloud"
	GitHubPermission      Code = "github-permission"
	PipelinesToken        Code = "pipelines-token"
	UserSignedOut         Code = "signed-out"
	LoginPatterns         Code = "login-patterns"
	Settings              Code = "settings"

	// The vault and its key.
	LoginSealed        Code = "login-sealed"
	LoginElsewhere     Code = "login-elsewhere"
	LoginKeyGone       Code = "login-key-gone"
	LoginNewer         Code = "login-newer"
	LoginDamaged       Code = "login-damaged"
	LoginVault         Code = "login-vault"
	LoginChanged       Code = "login-changed"
	KeyStays           Code = "key-stays"
	Busy               Code = "busy"
	KeyringLocked      Code = "keyring-locked"
	KeyringUnavailable Code = "keyring-unavailable"
	KeyringNone        Code = "keyring-none"

	// Requests over HTTP, to any server.
	UnexpectedHost Code = "http-unexpected-host"
	Redirect       Code = "http-redirect"
	NotJSON        Code = "http-not-json"
	TooLong        Code = "http-too-long"
	DNS            Code = "http-dns"
	Proxy          Code = "http-proxy"
	TLS            Code = "http-tls"
	Timeout        Code = "http-timeout"
	Broken         Code = "http-broken"
	Unreachable    Code = "http-unreachable"

	// Microsoft Entra, where it gives no number of its own.
	EntraThrottled   Code = "entra-429"
	EntraUnavailable Code = "entra-5xx"
	EntraOther       Code = "entra-other"

	// A user who signs in.
	SignInAgain       Code = "signin-again"
	SignInDeclined    Code = "signin-denied"
	SignInTimeout     Code = "signin-timeout"
	SignInInterrupted Code = "signin-interrupted"
	SignInPort        Code = "signin-listen"
	SignInDeviceCode  Code = "signin-code"

	// What an application signs in with.
	AssertionMissing    Code = "assertion-missing"
	AssertionNotToken   Code = "assertion-not-token"
	AssertionExpired    Code = "assertion-expired"
	IssuerURL           Code = "assertion-issuer-url"
	IssuerRefused       Code = "assertion-refused"
	IssuerConnection    Code = "assertion-connection"
	IssuerUnavailable   Code = "assertion-trouble"
	AssertionManaged    Code = "assertion-managed"
	TokenProxy          Code = "token-proxy"
	Certificate         Code = "certificate"
	CertificatePassword Code = "certificate-password"
	CertificateOutdated Code = "certificate-outdated"

	// Endpoints of managed identities.
	IMDSAbsent             Code = "machine-no-imds"
	NoManagedIdentity      Code = "machine-none"
	SeveralIdentities      Code = "machine-several"
	IdentitySelector       Code = "machine-selector"
	EndpointMismatch       Code = "machine-mismatch"
	EndpointVariable       Code = "machine-variable"
	ArcKeyFile             Code = "machine-key-file"
	ServiceFabricPin       Code = "machine-pin"
	ServiceFabricTransport Code = "machine-transport"
	EndpointThrottled      Code = "machine-429"
	EndpointUnavailable    Code = "machine-5xx"
	EndpointOther          Code = "machine-other"

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
	DelegateTimeout   Code = "delegate-late"
	DelegateFailed    Code = "delegate-failed"
	ClientOtherHelper Code = "client-other-helper"
	ClientLaterFile   Code = "client-later-file"
	ClientMalformed   Code = "client-file-malformed"
	ClientDropIn      Code = "client-drop-in"
	ClientFileChanged Code = "client-file-changed"
	ClientFileForeign Code = "client-file-foreign"

	// Findings of doctor that no get would meet as an error.
	OK                  Code = "ok"
	Skipped             Code = "skipped"
	Failed              Code = "failed"
	BinaryNotOnPath     Code = "binary-not-on-path"
	BinaryShadowed      Code = "binary-shadowed"
	VaultNoPlace        Code = "vault-no-place"
	VaultNotUsed        Code = "vault-not-used"
	NoHome              Code = "no-home"
	DockerNotConfigured Code = "docker-not-configured"
	DockerKey           Code = "docker-key"
	DockerOtherHelper   Code = "docker-other-helper"
	DockerConfig        Code = "docker-config"
	DockerPlaintext     Code = "docker-plaintext-credential"
	DockerAuthConfig    Code = "docker-auth-config"
	PodmanNotConfigured Code = "podman-not-configured"
	PodmanOtherHelper   Code = "podman-other-helper"
	PodmanConfig        Code = "podman-config"
	PodmanPlaintext     Code = "podman-plaintext-credential"
	NoIdentity          Code = "no-identity"
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
	if r := find(c, ""); r.meaning != "" {
		return r.meaning
	}
	if strings.HasPrefix(string(c), aadsts) {
		return "Microsoft Entra refused"
	}
	return string(c)
}

// IsKnown reports whether the table has the code.
func (c Code) IsKnown() bool { return find(c, "").codes != nil }
