package status

import (
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// A Report is what status --json prints. Fields are only ever added; a field without a
// value is left out.
type Report struct {
	// Registries has a row for each registry and pattern that something is known about,
	// in the order of their names; if one was named, its row alone.
	Registries []Row `json:"registries"`
}

// A Row is about one registry or pattern.
type Row struct {
	// Registry is the login server or pattern; of other registries what their client
	// called them. It is empty for a login that can't be read.
	Registry string `json:"registry"`
	// Identity names the selected identity, for the user: "ada@contoso.com", "service
	// principal 7d1c…". Absent for none.
	Identity string `json:"identity,omitempty"`
	// Kind is the identity's kind by the words of the config file, or "registry-user"
	// (its name and password are stored), "acr-token" (a stored token that can't be
	// renewed), or "delegate" (another credential helper has the login).
	Kind string `json:"kind,omitempty"`
	// Tenant and ClientID are the identity's, where they are known.
	Tenant   string `json:"tenant,omitempty"`
	ClientID string `json:"clientId,omitempty"`
	// Source says where the choice came from, for the user: "a stored login",
	// "AZURE_CLIENT_ID", "config file PATH (PATTERN)"; without an identity it may say why
	// there is none.
	Source string `json:"source,omitempty"`
	// Login says that a login with a secret of its own is stored (a password, a user's
	// sign-in, a service principal's secret).
	Login bool `json:"login,omitempty"`
	// Keyring is where the key of what is stored is: "os", "kernel" or "file"; absent
	// where nothing is stored. KeyringAvailable reports whether that keyring is used
	// here; it is not in an SSH session without the desktop's keyring.
	Keyring          string `json:"keyring,omitempty"`
	KeyringAvailable *bool  `json:"keyringAvailable,omitempty"`
	// KeyFile is the key file; absent for another keyring.
	KeyFile *KeyFile `json:"keyFile,omitempty"`
	// Token is the cached token; absent where there is none, or none is used.
	Token *Token `json:"token,omitempty"`
	// Failure is the last failure to get a token, until one is got, for a day.
	Failure *Failure `json:"failure,omitempty"`
	// Error says why no identity could be selected; Code is its code.
	Error string     `json:"error,omitempty"`
	Code  fault.Code `json:"code,omitempty"`

	source identity.Source
	// namespace is why Podman can't open the login in its user namespace; nil if it can.
	namespace error
	ago       string // how long ago the failure was
	// problem is the error or the failure, with all that advice depends on; nil for none.
	problem error
}

// A KeyFile is a file with the key.
type KeyFile struct {
	Path string `json:"path"`
	// MadeOn is when it was made (RFC 3339); absent where there is none any more.
	MadeOn time.Time `json:"madeOn,omitzero"`
}

// A Token is a cached token, without the token itself.
type Token struct {
	// State is "fresh" (used as it is), "renewable" (valid, and renewed at the next use)
	// or "ended".
	State string `json:"state"`
	// ReceivedOn and ExpiresOn are its life by the local clock (RFC 3339).
	ReceivedOn time.Time `json:"receivedOn"`
	ExpiresOn  time.Time `json:"expiresOn"`
	// RenewsOn is from when on a use renews it; absent where nothing can. After a failure
	// it is renewed no earlier than at the failure's end.
	RenewsOn *time.Time `json:"renewsOn,omitempty"`
}

// Values of a Token's State.
const (
	Fresh     = "fresh"
	Renewable = "renewable"
	Ended     = "ended"
)

// A Failure is a failed sign-in or exchange.
type Failure struct {
	// Error is what went wrong; Code is its code.
	Error string     `json:"error"`
	Code  fault.Code `json:"code,omitempty"`
	// Since is when it failed, Until is from when on the next attempt is made (RFC 3339).
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
}
