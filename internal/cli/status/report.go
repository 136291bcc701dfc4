package status

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
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
	// Token is the cached token; absent where there is none, or none is used.
	Token *Token `json:"token,omitempty"`
	// Failure is the last failed renewal, as long as other processes share it.
	Failure *Failure `json:"failure,omitempty"`
	// Error says why no identity could be selected; Code is its code.
	Error string     `json:"error,omitempty"`
	Code  fault.Code `json:"code,omitempty"`

	source identity.Source
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

// A Failure is a failed renewal.
type Failure struct {
	// Error is what went wrong; Code is its code.
	Error string     `json:"error"`
	Code  fault.Code `json:"code,omitempty"`
	// Until is when the next attempt is made (RFC 3339).
	Until time.Time `json:"until"`
}

// table has a line for each row: registry, identity, source, state, keyring.
func (c collector) table(rows []Row) string {
	if len(rows) == 0 {
		return c.nothing() + "\n"
	}
	table, widths := make([][]string, len(rows)), make([]int, 5)
	for i, r := range rows {
		table[i] = r.cells(c.now)
		for j, cell := range table[i] {
			if r.Error == "" || j == 0 { // a sentence would make the column too wide
				widths[j] = max(widths[j], utf8.RuneCountInString(cell))
			}
		}
	}
	var lines strings.Builder
	for _, cells := range table {
		line := ""
		for j, cell := range cells {
			line += fmt.Sprintf("%-*s   ", widths[j], cell)
		}
		lines.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return lines.String()
}

// nothing says which identity would be used, where no registry is known yet.
func (c collector) nothing() string {
	const all = "*.azurecr.io"
	host, _ := c.app.Clouds.Example(all) // of a built-in cloud
	if id, err := c.selector.Select(host); err == nil && !id.IsAnonymous() {
		return fmt.Sprintf("no registries are set up yet; for %s you would sign in as %s (from %s)", all, id, id.Source)
	}
	return fmt.Sprintf("no registries are set up yet; see: %s login --help", cmdutil.Program)
}

// cells returns the row's columns; those after an error's are left out.
func (r Row) cells(now time.Time) []string {
	name := text.Line(cmp.Or(r.Registry, "(unknown)"))
	if r.Error != "" {
		return []string{name, "error: " + text.Line(r.Error)}
	}
	who := r.Identity
	switch {
	case r.Kind == string(identity.Anonymous):
		who = "anonymous"
	case who == "":
		who = "not signed in"
	}
	return []string{name, text.Line(who), r.sourceCell(), r.state(now), r.keyringCell()}
}

// sourceCell leaves the path of a config file to --json.
func (r Row) sourceCell() string {
	switch {
	case r.Source == "":
		return ""
	case r.source.Kind == identity.FromConfig && r.source.Pattern == r.Registry:
		return "from the config file"
	case r.source.Kind == identity.FromConfig:
		return "from the config file (" + r.source.Pattern + ")"
	case r.Kind == string(identity.None): // the reason why there is none
		return "(" + text.Line(r.Source) + ")"
	}
	return "from " + text.Line(r.Source)
}

// state says what is stored, and how long it is valid.
func (r Row) state(now time.Time) string {
	switch {
	case r.Identity == "":
		return "anonymous pull only"
	case r.Failure != nil && (r.Token == nil || r.Token.State == Ended):
		return "last attempt failed: " + text.Line(r.Failure.Error)
	case r.Failure != nil && r.Token.State == Renewable:
		return "token valid, " + short(r.Token.ExpiresOn.Sub(now)) + " left, renewal failed: " + text.Line(r.Failure.Error)
	case r.Token != nil:
		return r.Token.describe(now)
	case r.Kind == kindDelegate:
		return ""
	case strings.Contains(r.Registry, "*"):
		return "for all matching registries"
	case r.Kind == string(identity.RegistryUser), r.Kind == string(identity.ServicePrincipal) && r.Login && r.Tenant == "":
		return "password stored"
	}
	return "no token yet"
}

// describe says how long a token is valid, and what happens then.
func (t Token) describe(now time.Time) string {
	left := short(t.ExpiresOn.Sub(now)) + " left"
	switch {
	case t.State == Ended && t.RenewsOn == nil:
		return "token expired"
	case t.State == Ended:
		return "token expired, renewed at next use"
	case t.State == Renewable:
		return "token valid, " + left + ", renewed at next use"
	case t.RenewsOn == nil:
		return "token fresh, " + left + ", can't be renewed"
	}
	return "token fresh, " + left + ", renewed in " + short(t.RenewsOn.Sub(now))
}

// keyringCell says where the key is, because without it nothing that is stored can be
// used.
func (r Row) keyringCell() string {
	switch {
	case r.Keyring == "":
		return ""
	case !*r.KeyringAvailable:
		return "key in " + keystore.Title(r.Keyring) + ", not available here"
	}
	return "key in " + keystore.Title(r.Keyring)
}

// short is a duration in hours and minutes.
func short(d time.Duration) string {
	if d = d.Truncate(time.Minute); d < time.Minute {
		return "under 1m"
	}
	return strings.TrimSuffix(d.String(), "0s")
}
