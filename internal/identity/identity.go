// Package identity has the types for who signs in to a registry, and with which
// credential. It decides nothing; see package selection.
package identity

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// An Identity is who signs in to a registry, with all that it takes to sign in.
type Identity struct {
	Kind Kind
	// Tenant is a GUID or a domain. It is "" for a service principal whose tenant is
	// unknown: its secret can't be exchanged, only returned as it was stored.
	Tenant string
	// ClientID is an application's id; of a User, the id of the application that the user
	// signs in to; of a ManagedIdentity, its client ID. At most one of ClientID, ObjectID
	// and ResourceID names a ManagedIdentity; without any it is the only one that the
	// computer has.
	ClientID, ObjectID, ResourceID string
	// User is the name of a user, of an admin user or of a scoped token.
	User string
	// AskTenant says that a developer tool must be asked for Tenant, which is not its own
	// default.
	AskTenant bool
	// Subscription is the id of the subscription whose account Azure CLI must use; "" for
	// its default one.
	Subscription string
	// Audience is the resource that the Entra token is for.
	Audience string
	// Secret is the client secret where it came from the environment; "" where it is in
	// the vault (Login is set then).
	Secret secret.String
	// Certificate is what a service principal has instead of a Secret; nil for none.
	Certificate *Certificate
	// Federation is where the token of a WorkloadIdentity, FederatedToken, GitHubActions
	// or AzurePipelines comes from; nil for the other kinds.
	Federation *Federation
	// Endpoint is what issues the tokens of a ManagedIdentity.
	Endpoint Endpoint
	// Detected says that the managed identity was selected because the computer is an
	// Azure VM, not because it is configured. If the VM has no identity, or several,
	// treat it as no identity.
	Detected bool
	// Uncached says that the account can't be told from others offline, so its tokens
	// must not be cached.
	Uncached bool
	// InMemory says that its tokens stay in the memory of this process.
	InMemory bool
	// Assertion is the federated token in a file; the zero value for other identities.
	Assertion Assertion
	// ProfileTime is when the file of a developer tool was written from which the account is
	// known. Another time after a sign-in means that the token may be another account's.
	ProfileTime time.Time
	// Login is the stored login that was selected; nil for none.
	Login *Login
	// Fingerprint tells apart what obtains tokens: identities with different fingerprints
	// never share one. It may be a hash of a short secret, so it is not printed.
	Fingerprint string
	// Source is where the choice came from.
	Source Source
	// Reason says of None why there is no identity, if something almost was one;
	// otherwise "". Cause is the same as an error, for advice; nil for none.
	Reason string
	Cause  error
}

// An Assertion is what is known of a federated token without its issuer's key. A cached
// token is not returned to an expired assertion other than the one that obtained it: it
// may be one that was made up.
type Assertion struct {
	// Hash is the SHA-256 of the token.
	Hash string
	// Expires is when it says that it expires; zero for never.
	Expires time.Time
}

// A Certificate is a private key (RSA) with its certificate, and maybe the chain above
// it, in PEM or PKCS#12.
type Certificate struct {
	// Content is the file's content when the identity was selected.
	Content secret.String
	// Password decrypts the key; "" for none.
	Password secret.String
	// SendChain puts the certificate's chain into the assertion, for applications that
	// trust a certificate by its subject name and issuer.
	SendChain bool
}

// A Federation is where the assertion of a federated credential comes from: exactly one
// of File, Token, RequestURL and ManagedIdentity.
type Federation struct {
	// File has the assertion. Kubernetes replaces it within the hour, so it is read at
	// each use.
	File string
	// Token is the assertion itself, as CI systems put it into a variable.
	Token secret.String
	// RequestURL issues a new assertion for RequestToken.
	RequestURL   string
	RequestToken secret.String
	// Connection is the service connection of Azure Pipelines.
	Connection string
	// ManagedIdentity is the client ID of a user-assigned managed identity whose token is
	// the assertion.
	ManagedIdentity string
	// Proxy replaces Entra in a cluster with AKS identity bindings; the zero value for
	// none.
	Proxy TokenProxy
}

// A TokenProxy is AKS's replacement for Entra's token endpoint inside a cluster
// (AZURE_KUBERNETES_TOKEN_PROXY and related variables).
type TokenProxy struct {
	// URL is https, without user-info and query.
	URL string
	// ServerName is sent and verified in TLS; "" for the URL's host.
	ServerName string
	// CAFile and CAData are the root certificates to trust, in PEM; at most one of them,
	// none for the system's.
	CAFile, CAData string
	// Direct says that no HTTP proxy is used on the way to it.
	Direct bool
}

// AzureCLIClient stands for Azure CLI's public client ID where a client ID is asked for.
const AzureCLIClient = "azure-cli"

// String names the identity in messages: "service principal 7d1c…".
func (id Identity) String() string {
	switch id.Kind {
	case User:
		return id.User
	case ManagedIdentity:
		return id.managedName()
	case AzureCLI:
		return "Azure CLI account " + id.User
	case AzureDeveloperCLI:
		return account("Azure Developer CLI", id.User)
	case AzurePowerShell:
		return account("Azure PowerShell", id.User)
	case RegistryUser:
		return fmt.Sprintf("registry user %q", id.User)
	case ACRToken:
		return "a stored ACR token"
	case TokenSource:
		return "the token source"
	}
	if id.Kind.IsApplication() {
		return id.Kind.ApplicationName() + " " + id.ClientID
	}
	return "no identity"
}

// WithTenant names the identity and its tenant, if that is known:
// "ada@contoso.com (tenant 1111…)".
func (id Identity) WithTenant() string {
	if id.Tenant == "" {
		return id.String()
	}
	return id.String() + " (tenant " + id.Tenant + ")"
}

// account names a tool's account, whose user may be unknown.
func account(tool, user string) string {
	if user == "" {
		return "the " + tool + " account"
	}
	return tool + " account " + user
}

func (id Identity) managedName() string {
	if name := cmp.Or(id.ClientID, id.ObjectID, id.ResourceID); name != "" {
		return "managed identity " + name
	}
	if id.Endpoint == IMDS || id.Endpoint == "" {
		return "this computer's managed identity"
	}
	return "the managed identity of " + string(id.Endpoint)
}

// WithSecret returns the identity with the secret of its login.
func (id Identity) WithSecret(s secret.String) Identity {
	if id.Login.Method == MethodCertificate {
		id.Certificate = &Certificate{Content: s, SendChain: id.Login.SendChain}
		return id
	}
	id.Secret = s
	return id
}

// IsStatic reports whether clients get what was stored, verbatim: a registry user, or a
// service principal whose tenant is unknown.
func (id Identity) IsStatic() bool {
	return id.Kind == RegistryUser || id.Kind == ServicePrincipal && id.Tenant == ""
}

// IsAnonymous reports whether pulls are anonymous, because the user wants that or because
// there is no identity.
func (id Identity) IsAnonymous() bool { return id.Kind == None || id.Kind == Anonymous }

// Equal reports whether two identities obtain the same token. What they sign in with is
// in the Fingerprint.
func (id Identity) Equal(other Identity) bool {
	return id.Kind == other.Kind && id.Tenant == other.Tenant && id.ClientID == other.ClientID &&
		id.ObjectID == other.ObjectID && id.ResourceID == other.ResourceID && id.Subscription == other.Subscription &&
		id.User == other.User && id.Audience == other.Audience && id.Fingerprint == other.Fingerprint
}

// A Source is where the choice of an identity came from.
type Source struct {
	Kind SourceKind
	// Name is the variable that decided, the config file's path, the hosted endpoint, or the
	// library's option.
	Name string
	// Pattern is the registry or pattern of the stored login or config entry.
	Pattern string
	// Terraform says that Terraform's variables (ARM_…) decided, not Azure's.
	Terraform bool
}

// A SourceKind is a rule by which identities are selected.
type SourceKind int

// Kinds of source; the zero value is none.
const (
	NoSource SourceKind = iota
	FromCommandLine
	FromLogin
	FromConfig
	FromEnvironment
	FromEndpoint
	FromAzureCLI
	FromMachine
	FromStoredToken
	FromCode
	FromServiceAccount
	FromAzureJSON
)

// String names the source for the user; "" for none.
func (s Source) String() string {
	switch s.Kind {
	case FromCommandLine:
		return "the command line"
	case FromLogin:
		if s.IsPattern() {
			return "the stored login for " + s.Pattern
		}
		return "a stored login"
	case FromConfig:
		return fmt.Sprintf("config file %s (%s)", s.Name, s.Pattern)
	case FromEnvironment, FromCode, FromServiceAccount, FromAzureJSON:
		return s.Name
	case FromEndpoint:
		return "the " + s.Name + " endpoint"
	case FromAzureCLI:
		return "Azure CLI's default subscription"
	case FromMachine:
		return "this computer"
	case FromStoredToken:
		return "a stored token"
	}
	return ""
}

// IsPattern reports whether the choice was made for a pattern, not for the registry
// alone.
func (s Source) IsPattern() bool { return strings.Contains(s.Pattern, "*") }
