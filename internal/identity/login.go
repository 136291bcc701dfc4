package identity

// A Login is what docker login or the login command stored, without its secret.
type Login struct {
	// Server is the registry's host or a pattern; for other registries what the client
	// called them, verbatim.
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
	// TokenFile is the file with the assertion of a federated credential.
	TokenFile string `json:"tokenFile,omitempty"`
	// Method is how the login was made, so that the same command can be suggested again:
	// one of the Method constants; "" for a secret or none.
	Method string `json:"method,omitempty"`
	// SendChain is as in Certificate.
	SendChain bool `json:"sendChain,omitempty"`
	// Fingerprint is random, and new with every store. A hash of the secret could be
	// guessed from a file that is readable without any key.
	Fingerprint string `json:"fingerprint"`
	// Keyspace is where the vault has it. The vault fills it in.
	Keyspace string `json:"-"`
}

// How a login was made, where its kind doesn't say it.
const (
	MethodBrowser     = "browser"
	MethodDeviceCode  = "device-code"
	MethodCertificate = "certificate"
)

// String names the login's identity in messages.
func (l Login) String() string { return l.Identity().String() }

// Identity returns as much of the identity as the login alone says.
func (l Login) Identity() Identity {
	return Identity{
		Kind: l.Kind, Tenant: l.Tenant, ClientID: l.ClientID, ObjectID: l.ObjectID, ResourceID: l.ResourceID, User: l.User,
		Source: l.Source(),
	}
}

// Source returns the source of an identity that the login is selected for.
func (l Login) Source() Source { return Source{Kind: FromLogin, Pattern: l.Server} }

// HasSecret reports whether a secret belongs to the login, which only the vault's key
// decrypts. Other logins only name an identity.
func (l Login) HasSecret() bool {
	return l.Kind == RegistryUser || l.Kind == ServicePrincipal || l.Kind == User
}

// NamesNothing reports whether the login says nothing but its kind, and so leaves the
// choice to the user's Azure CLI or to the computer.
func (l Login) NamesNothing() bool {
	return l.Tenant+l.ClientID+l.ObjectID+l.ResourceID+l.Subscription+l.TokenFile == ""
}

// UserName returns what a client gets as the user name of this login.
func (l Login) UserName() string {
	if l.Kind == ServicePrincipal {
		return l.ClientID
	}
	return l.User
}
