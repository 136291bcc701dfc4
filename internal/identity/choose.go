package identity

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Chooser chooses identities. Its fields are the world that it looks at.
type Chooser struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Login finds the login stored for a server; nil for none.
	Login func(server string) (*Login, error)
	// UserConfig and MachineConfig are the paths of config files, which need not
	// exist; empty where there is no place for one.
	UserConfig, MachineConfig string
	// AzureDir is Azure CLI's own directory; empty where there is none.
	AzureDir string
	// HasAzureCLI says whether az can be run.
	HasAzureCLI func() bool
}

// An Error says what is wrong with the configuration: nothing was tried.
type Error struct {
	// Why is the rest of a sentence that began with the registry.
	Why string
	// Hint is what a hint is looked up by.
	Hint string
}

func (e *Error) Error() string { return e.Why }

// Code is what a hint is looked up by.
func (e *Error) Code() string { return e.Hint }

// The codes of errors that For returns.
const (
	CodeConfig      = "config"        // the config file can't be used
	CodeConfigMode  = "config-mode"   // others can write to it
	CodeNoSecret    = "config-secret" // its service principal's secret isn't at hand
	CodeNoAzureCLI  = "config-az"     // its Azure CLI isn't signed in
	CodeHalfSet     = "environment"   // variables are missing
	CodeBadVariable = "variable"      // a variable isn't of its form
	CodeWrongCloud  = "wrong-cloud"   // the authority belongs to another cloud than the registry
)

// For chooses who to be for a registry, by the first of these rules that
// applies: the most specific of logins and config entries; the environment; a
// signed-in Azure CLI; nobody. The choice is made before anything is tried and
// stands: an identity that fails is an error, not a reason to try another.
func (c Chooser) For(host registry.Host) (Identity, error) {
	login, err := c.Login(host.String())
	if err != nil {
		return Identity{}, err
	}
	entry, err := c.entry(host)
	if err != nil {
		return Identity{}, err
	}
	if login != nil { // logins name whole hosts, so none can be more specific
		return c.fromLogin(*login, entry), nil
	}
	id, err := c.withoutLogin(host, entry)
	if id.Audience = entry.Audience; id.Audience == "" {
		id.Audience = registry.Audience
	}
	return id, err
}

func (c Chooser) withoutLogin(host registry.Host, entry Entry) (Identity, error) {
	if entry.Identity != "" {
		return c.fromEntry(host, entry)
	}
	if id, err := c.fromEnvironment(host, entry); err != nil || id.Kind != None {
		return id, err
	}
	return c.fromAzureCLI(host, entry), nil
}

// fromLogin completes a stored login. A service principal that came through
// docker login has no tenant of its own.
func (c Chooser) fromLogin(l Login, e Entry) Identity {
	id := Identity{
		Kind: l.Kind, Tenant: l.Tenant, ClientID: l.ClientID, User: l.User,
		Audience: registry.Audience, Login: &l, Fingerprint: l.Fingerprint, Source: "a stored login",
	}
	if e.Audience != "" {
		id.Audience = e.Audience
	}
	if id.Kind == ServicePrincipal && id.Tenant == "" {
		id.Tenant = c.defaultTenant(e)
	}
	return id
}

// TenantFor is the tenant to assume for a registry where a login names none;
// "" for not known.
func (c Chooser) TenantFor(host registry.Host) string {
	entry, err := c.entry(host)
	if err != nil {
		return ""
	}
	return c.defaultTenant(entry)
}

func (c Chooser) defaultTenant(e Entry) string {
	if e.Tenant != "" {
		return e.Tenant
	}
	if tenant := c.Getenv("AZURE_TENANT_ID"); validTenant(tenant) {
		return tenant
	}
	return ""
}

func (c Chooser) fromEntry(host registry.Host, e Entry) (Identity, error) {
	switch e.Identity {
	case Anonymous:
		return Identity{Kind: Anonymous, Source: e.source}, nil
	case ServicePrincipal:
		return c.servicePrincipal(e)
	default: // the config file admits no other kind
		id := c.fromAzureCLI(host, e)
		if id.Kind == None {
			return id, &Error{e.source + " says azure-cli, but " + cmp.Or(id.Source, "Azure CLI is not signed in"), CodeNoAzureCLI}
		}
		id.Source = e.source
		return id, nil
	}
}

// servicePrincipal takes the proof for a config entry from the environment,
// provided that it isn't somebody else's.
func (c Chooser) servicePrincipal(e Entry) (Identity, error) {
	value := secret.New(c.Getenv("AZURE_CLIENT_SECRET"))
	if value.IsZero() {
		return Identity{}, &Error{fmt.Sprintf("%s says service principal %s, but AZURE_CLIENT_SECRET is not set", e.source, e.ClientID), CodeNoSecret}
	}
	if owner := c.Getenv("AZURE_CLIENT_ID"); owner != "" && !strings.EqualFold(owner, e.ClientID) {
		return Identity{}, &Error{fmt.Sprintf("%s says service principal %s, but AZURE_CLIENT_SECRET belongs to %s", e.source, e.ClientID, printable(owner)), CodeNoSecret}
	}
	tenant := c.defaultTenant(e)
	if tenant == "" {
		return Identity{}, &Error{fmt.Sprintf("%s says service principal %s, but no tenant", e.source, e.ClientID), CodeConfig}
	}
	return Identity{
		Kind: ServicePrincipal, Tenant: tenant, ClientID: e.ClientID,
		Secret: value, Fingerprint: value.Fingerprint(), Source: e.source,
	}, nil
}
