package status

import "time"

// A Report is what status --json prints. Fields are only ever added; a field that
// says nothing is left out.
type Report struct {
	// Registries has a row for each registry and pattern that something is known
	// about, in the order of their names; of a named one, that row alone.
	Registries []Row `json:"registries"`
}

// A Row is about one registry or pattern.
type Row struct {
	// Registry is the login server or pattern; of other registries whatever their
	// client called them. Empty for a login that can't be read.
	Registry string `json:"registry"`
	// Identity names who one would be, for people: "ada@contoso.com", "service
	// principal 7d1c…". Absent for nobody: pulls are anonymous.
	Identity string `json:"identity,omitempty"`
	// Kind is the identity's kind by the words of the config file, and
	// "registry-user" (its name and password are stored), or "acr-token" (a token
	// that came through docker login and can't be renewed), and "delegate" (another
	// credential helper answers for this registry).
	Kind string `json:"kind,omitempty"`
	// Tenant and ClientID are the identity's, where they are known.
	Tenant   string `json:"tenant,omitempty"`
	ClientID string `json:"clientId,omitempty"`
	// Source says where the choice came from, for people: "a stored login",
	// "AZURE_CLIENT_ID", "config file PATH (PATTERN)"; of nobody it may say why.
	Source string `json:"source,omitempty"`
	// Login says that a login with a secret of its own is stored (a password, a
	// person's sign-in, an application's secret).
	Login bool `json:"login,omitempty"`
	// KeyHome is where the key of what is stored lies: "os", "kernel" or "file".
	// Absent where nothing is stored.
	KeyHome string `json:"keyHome,omitempty"`
	// KeyElsewhere says that this home isn't among those in use here, as in an SSH
	// session without the desktop's keyring.
	KeyElsewhere bool `json:"keyElsewhere,omitempty"`
	// Token is the token that is kept; absent where none is, or none is used.
	Token *Token `json:"token,omitempty"`
	// Failure is the last renewal's, as long as others share it.
	Failure *Failure `json:"failure,omitempty"`
	// Error says why nobody could be chosen; Code is its hint's.
	Error string `json:"error,omitempty"`
	Code  string `json:"code,omitempty"`
}

// A Token is a kept token, without the token.
type Token struct {
	// State is "fresh" (used as it is), "renewable" (alive, and renewed at the next
	// use) or "ended".
	State string `json:"state"`
	// ReceivedOn and ExpiresOn are its life by the local clock (RFC 3339).
	ReceivedOn time.Time `json:"receivedOn"`
	ExpiresOn  time.Time `json:"expiresOn"`
	// RenewsOn is from when on a use renews it; absent where nothing can. Renewal
	// rests after a failure until the later of this and the failure's end.
	RenewsOn *time.Time `json:"renewsOn,omitempty"`
}

// Values of a Token's State.
const (
	Fresh     = "fresh"
	Renewable = "renewable"
	Ended     = "ended"
)

// A Failure is a failed renewal.
type Failure struct {
	// Error is what went wrong; Code is its hint's.
	Error string `json:"error"`
	Code  string `json:"code,omitempty"`
	// Until is when it is tried again (RFC 3339).
	Until time.Time `json:"until"`
}
