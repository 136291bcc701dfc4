// Package identity decides who to be for a registry. It is pure: it looks at
// configuration, stored logins, the environment and Azure CLI's profile, never
// at the network, and it can say why it decided so. Exactly one identity is
// chosen before anything is tried; there is no chain to fall through.
package identity

import (
	"fmt"

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
	// ServicePrincipal is an application in Microsoft Entra with a client secret.
	ServicePrincipal Kind = "service-principal"
	// AzureCLI is whoever is signed in to Azure CLI.
	AzureCLI Kind = "azure-cli"
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
	// ClientID is a service principal's application id.
	ClientID string
	// User is the name of a person, of an admin user or of a scoped token.
	User string
	// AskTenant says that Azure CLI must be asked for Tenant, which isn't the one
	// of its default subscription.
	AskTenant bool
	// Audience is the resource that the Entra token is meant for.
	Audience string
	// Secret is the client secret where it came from the environment. It is
	// empty where it lies in the vault (Login is set then).
	Secret secret.String
	// Login is the vault entry that the choice came from; nil for none.
	Login *Login
	// Fingerprint tells what earned a token, without being secret itself. Two
	// identities that differ in it never share a token.
	Fingerprint string
	// Source says where the choice came from, for people: "AZURE_CLIENT_ID". For
	// None it may say why somebody who nearly would do, doesn't.
	Source string
}

// String names the identity in messages: "service principal 7d1c…".
func (id Identity) String() string {
	switch id.Kind {
	case ServicePrincipal:
		return "service principal " + id.ClientID
	case AzureCLI:
		return "Azure CLI's " + id.User
	case RegistryUser:
		return fmt.Sprintf("registry user %q", id.User)
	case ACRToken:
		return "the owner of a stored ACR token"
	}
	return "nobody"
}

// Same says whether two identities would earn the same token.
func (id Identity) Same(other Identity) bool {
	return id.Kind == other.Kind && id.Tenant == other.Tenant && id.ClientID == other.ClientID &&
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
	// Fingerprint is random, made anew with every store: a hash of the secret
	// could be guessed back from a file that is readable without any key.
	Fingerprint string `json:"fingerprint"`
	// Compartment is where the vault keeps it. The vault fills it in.
	Compartment string `json:"-"`
}

// UserName is what a client gets to see as the user of this login.
func (l Login) UserName() string {
	if l.Kind == ServicePrincipal {
		return l.ClientID
	}
	return l.User
}
