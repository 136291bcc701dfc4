// Package identity has the words for who one can be to a registry, and how that is
// proved. It decides nothing; see package choice.
package identity

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Kind says how an identity proves itself. The values are those of the config
// file and of vault entries, so they never change.
type Kind string

const (
	// None is nobody: the registry may allow anonymous pull.
	None Kind = ""
	// Anonymous is nobody by explicit wish, about which there is no hint.
	Anonymous Kind = "anonymous"
	// User is a person who signed in with our login command.
	User Kind = "user"
	// ServicePrincipal is an application in Microsoft Entra with a client secret
	// or a certificate.
	ServicePrincipal Kind = "service-principal"
	// WorkloadIdentity is an application that Kubernetes vouches for, by a token in
	// a file.
	WorkloadIdentity Kind = "workload-identity"
	// FederatedToken is an application that somebody else vouches for: a CI's token
	// in a variable or file, or a managed identity.
	FederatedToken Kind = "federated-token"
	// GitHubActions is an application that GitHub's OIDC issuer vouches for.
	GitHubActions Kind = "github-actions"
	// AzurePipelines is an application that Azure DevOps vouches for, through a
	// service connection.
	AzurePipelines Kind = "azure-pipelines"
	// ManagedIdentity is an identity that Azure gives to a machine or to a hosted
	// application.
	ManagedIdentity Kind = "managed-identity"
	// AzureCLI is whoever is signed in to Azure CLI.
	AzureCLI Kind = "azure-cli"
	// AzureDeveloperCLI is whoever is signed in to azd.
	AzureDeveloperCLI Kind = "azd"
	// AzurePowerShell is whoever is signed in to the Az modules of PowerShell.
	AzurePowerShell Kind = "azure-powershell"
	// RegistryUser is a user of the registry itself, unknown to Entra: its admin
	// user or a repository-scoped token. What was stored is returned as it is.
	RegistryUser Kind = "registry-user"
	// ACRToken is an ACR token that somebody else made and stored, as
	// az acr login does. It can't be renewed.
	ACRToken Kind = "acr-token"
)

// An Identity is one answer to "who?", complete enough to be acted on.
type Identity struct {
	Kind Kind
	// Tenant is a GUID or a domain. Empty for a service principal whose tenant
	// nobody knows yet: it can't be exchanged, only returned as it was stored.
	Tenant string
	// ClientID is an application's id; of a User, the id of the application that
	// the person signs in to; of a ManagedIdentity, its client id. At most one of
	// ClientID, ObjectID and ResourceID names a ManagedIdentity; none of them
	// means the one that the machine has.
	ClientID, ObjectID, ResourceID string
	// User is the name of a person, of an admin user or of a scoped token.
	User string
	// AskTenant says that a developer tool must be asked for Tenant, which isn't
	// the one that it would answer for by itself.
	AskTenant bool
	// Subscription is the id of the subscription whose account Azure CLI must be
	// asked for; "" for its default one.
	Subscription string
	// Audience is the resource that the Entra token is meant for.
	Audience string
	// Secret is the client secret where it came from the environment. It is
	// empty where it lies in the vault (Login is set then).
	Secret secret.String
	// Certificate is what a service principal has in place of a Secret; nil for
	// none.
	Certificate *Certificate
	// Federation says who vouches for a WorkloadIdentity, FederatedToken,
	// GitHubActions or AzurePipelines; nil for the other kinds.
	Federation *Federation
	// Endpoint is where a ManagedIdentity is to be had.
	Endpoint Endpoint
	// Presumed says that nobody asked for a ManagedIdentity: it was chosen because
	// the machine is one of Azure's. A machine that has none, or several, is nobody.
	Presumed bool
	// Uncached says that nothing tells offline who it is, so that its tokens must
	// not be kept.
	Uncached bool
	// Login is the vault entry that the choice came from; nil for none.
	Login *Login
	// Fingerprint tells what earned a token, without being secret itself. Two
	// identities that differ in it never share a token.
	Fingerprint string
	// Source says where the choice came from, for people: "AZURE_CLIENT_ID". For
	// None it may say why somebody who nearly would do, doesn't.
	Source string
}

// A Certificate proves a service principal: a private key (RSA) with its
// certificate, and perhaps the chain above it, in PEM or PKCS#12.
type Certificate struct {
	// Content is the file's content, as it was read when the choice was made.
	Content secret.String
	// Password opens an encrypted key; empty for one that isn't.
	Password secret.String
	// SendChain puts the certificate's chain into the assertion, which
	// applications need that trust a certificate by its subject name and issuer.
	SendChain bool
}

// A Federation says where the assertion of a federated credential comes from, by
// exactly one of File, Token, RequestURL and ManagedIdentity.
type Federation struct {
	// File holds the assertion. Kubernetes replaces it within the hour, so it is
	// read at each use.
	File string
	// Token is the assertion itself, as CI systems put it into a variable.
	Token secret.String
	// RequestURL mints a new assertion for whoever shows RequestToken.
	RequestURL   string
	RequestToken secret.String
	// Connection is the service connection that Azure Pipelines vouches for.
	Connection string
	// ManagedIdentity is the client id of a user-assigned managed identity whose
	// token is the assertion.
	ManagedIdentity string
	// Proxy takes Entra's place in a cluster with AKS identity bindings; the zero
	// value for none.
	Proxy TokenProxy
}

// A TokenProxy is AKS's in-cluster stand-in for Entra's token endpoint
// (AZURE_KUBERNETES_TOKEN_PROXY and its companions).
type TokenProxy struct {
	// URL is https, without user-info and query.
	URL string
	// ServerName is to be sent and verified in TLS; "" means the URL's host.
	ServerName string
	// CAFile and CAData hold the root certificates to trust, in PEM; at most one
	// of them, none means the system's.
	CAFile, CAData string
}

// An Endpoint says which of Azure's ways to hand out managed identities is in
// use. (Order of detection and names as in MSAL Go's managedidentity.GetSource.)
type Endpoint string

const (
	// IMDS is the Instance Metadata Service of virtual machines.
	IMDS          Endpoint = "virtual machine"
	AppService    Endpoint = "App Service"
	ServiceFabric Endpoint = "Service Fabric"
	MachineLearn  Endpoint = "Azure ML"
	CloudShell    Endpoint = "Cloud Shell"
	Arc           Endpoint = "Azure Arc"
)

// Words name the kinds that are applications, for messages.
var Words = map[Kind]string{
	ServicePrincipal: "service principal", WorkloadIdentity: "workload identity", FederatedToken: "federated application",
	GitHubActions: "the GitHub job's application", AzurePipelines: "the pipeline's application",
}

// AzureCLIWord stands for Azure CLI's public client id where a client id is asked
// for.
const AzureCLIWord = "azure-cli"

// String names the identity in messages: "service principal 7d1c…".
func (id Identity) String() string {
	switch id.Kind {
	case User:
		return id.User
	case ManagedIdentity:
		return id.managedName()
	case AzureCLI:
		return "Azure CLI's " + id.User
	case AzureDeveloperCLI:
		return strings.TrimSpace("Azure Developer CLI's account " + id.User)
	case AzurePowerShell:
		return strings.TrimSpace("Azure PowerShell's account " + id.User)
	case RegistryUser:
		return fmt.Sprintf("registry user %q", id.User)
	case ACRToken:
		return "the owner of a stored ACR token"
	}
	if word, application := Words[id.Kind]; application {
		return word + " " + id.ClientID
	}
	return "nobody"
}

func (id Identity) managedName() string {
	if name := cmp.Or(id.ClientID, id.ObjectID, id.ResourceID); name != "" {
		return "managed identity " + name
	}
	if id.Endpoint == IMDS || id.Endpoint == "" {
		return "the managed identity of this machine"
	}
	return "the managed identity of " + string(id.Endpoint)
}

// WithSecret completes an identity with what its login has sealed.
func (id Identity) WithSecret(s secret.String) Identity {
	if id.Login.Method == MethodCertificate {
		id.Certificate = &Certificate{Content: s, SendChain: id.Login.SendChain}
		return id
	}
	id.Secret = s
	return id
}

// AsStored says whether clients are answered what was stored, letter by letter: a
// registry's own user, or a service principal whose tenant nobody knows.
func (id Identity) AsStored() bool {
	return id.Kind == RegistryUser || id.Kind == ServicePrincipal && id.Tenant == ""
}

// Nobody says that pulls are anonymous, whether by wish or for want of anybody.
func (id Identity) Nobody() bool { return id.Kind == None || id.Kind == Anonymous }

// Same says whether two identities would earn the same token.
func (id Identity) Same(other Identity) bool {
	return id.Kind == other.Kind && id.Tenant == other.Tenant && id.ClientID == other.ClientID &&
		id.ObjectID == other.ObjectID && id.ResourceID == other.ResourceID && id.Subscription == other.Subscription &&
		id.User == other.User && id.Audience == other.Audience && id.Fingerprint == other.Fingerprint
}

// A Login is what a store (or a login command) recorded, less its secret.
type Login struct {
	// Server is the registry's host; for other registries whatever the client
	// called them, letter by letter.
	Server string `json:"server"`
	// Kind, Tenant, ClientID and User are as in Identity.
	Kind     Kind   `json:"identity"`
	Tenant   string `json:"tenant,omitempty"`
	ClientID string `json:"client,omitempty"`
	User     string `json:"user,omitempty"`
	// ObjectID, ResourceID and Subscription are as in Identity.
	ObjectID     string `json:"object,omitempty"`
	ResourceID   string `json:"resource,omitempty"`
	Subscription string `json:"subscription,omitempty"`
	// TokenFile is where the assertion of a federated credential lies.
	TokenFile string `json:"tokenFile,omitempty"`
	// Method is how it was recorded, for the same command to be suggested again:
	// one of the Method constants; "" for a secret or none.
	Method string `json:"method,omitempty"`
	// SendChain is as in Certificate.
	SendChain bool `json:"sendChain,omitempty"`
	// Fingerprint is random, made anew with every store: a hash of the secret
	// could be guessed back from a file that is readable without any key.
	Fingerprint string `json:"fingerprint"`
	// Compartment is where the vault keeps it. The vault fills it in.
	Compartment string `json:"-"`
}

// Who names the login in messages.
func (l Login) Who() string { return l.Identity().String() }

// Identity is as much of one as the login alone says.
func (l Login) Identity() Identity {
	return Identity{Kind: l.Kind, Tenant: l.Tenant, ClientID: l.ClientID, ObjectID: l.ObjectID, ResourceID: l.ResourceID, User: l.User}
}

// Sealed says whether something secret belongs to the login, which only the vault's
// key opens. Others merely say who to be.
func (l Login) Sealed() bool {
	return l.Kind == RegistryUser || l.Kind == ServicePrincipal || l.Kind == User
}

// How a login was recorded, where its kind leaves that open.
const (
	MethodBrowser     = "browser"
	MethodDeviceCode  = "device-code"
	MethodCertificate = "certificate"
)

// Sources of what a login command or docker login recorded: for the host alone, or
// for a pattern, which follows.
const (
	StoredLogin  = "a stored login"
	PatternLogin = "the login for "
)

// UserName is what a client gets to see as the user of this login.
func (l Login) UserName() string {
	if l.Kind == ServicePrincipal {
		return l.ClientID
	}
	return l.User
}
