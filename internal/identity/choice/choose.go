// Package choice decides who to be for a registry. It is pure: it looks at
// configuration, stored logins, the environment and developer tools' profiles, never
// at the network, and it can say why it decided so. Exactly one identity is chosen
// before anything is tried; there is no chain to fall through.
package choice

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// A Chooser chooses identities. Its fields are the world that it looks at.
type Chooser struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Login finds the login stored for a server or pattern; nil for none.
	Login func(server string) (*identity.Login, error)
	// Patterns lists the patterns that logins are stored for.
	Patterns func() ([]string, error)
	// Config are the config files.
	Config config.Files
	// AzureDir is Azure CLI's own directory; empty where there is none.
	AzureDir string
	// HasAzureCLI says whether az can be run.
	HasAzureCLI func() bool
	// OnAzureVM says whether this machine is one of Azure's, by its firmware.
	OnAzureVM func() bool
	// Exists says whether there is such a file.
	Exists func(path string) bool
	// AzdDir and PowerShellDir are the directories of Azure Developer CLI and of
	// Azure PowerShell; empty where there are none.
	AzdDir, PowerShellDir string
}

// For chooses who to be for a registry, by the first of these rules that
// applies: the most specific of logins and config entries; the environment; a
// signed-in Azure CLI; the machine's own identity; nobody. The choice is made
// before anything is tried and stands: an identity that fails is an error, not a
// reason to try another. Beside an error the Source may say which login or entry of
// the config file is meant.
func (c Chooser) For(host registry.Host) (identity.Identity, error) {
	entry, err := c.Config.Entry(host)
	if err != nil {
		return identity.Identity{}, err
	}
	login, err := c.login(host, entry)
	if err != nil {
		return identity.Identity{}, err
	}
	id, err := c.choose(host, login, entry)
	switch {
	case err != nil && login != nil:
		return identity.Identity{Source: sourceOf(*login)}, err
	case err != nil && entry.Identity != identity.None:
		return identity.Identity{Source: entry.Source}, err
	case err != nil:
		return identity.Identity{}, err
	}
	id.Audience = host.Cloud().AudienceOr(entry.Audience)
	return id, nil
}

func (c Chooser) choose(host registry.Host, login *identity.Login, entry config.Entry) (identity.Identity, error) {
	switch {
	case login != nil:
		return c.fromLogin(host, *login, entry)
	case entry.Identity != identity.None:
		return c.fromEntry(host, entry)
	}
	if id, err := c.fromEnvironment(host, entry); err != nil || id.Kind != identity.None {
		return id, err
	}
	nobody, missing := c.fromAzureCLI(host, entry)
	if missing == "" {
		return nobody, nil
	}
	if id := c.fromMachine(); id.Kind != identity.None {
		return id, nil
	}
	if nobody.Source == "" && c.env().First("GITHUB_ACTIONS", "TF_BUILD", "GITLAB_CI") != "" {
		nobody.Source = "this job has no AZURE_CLIENT_ID"
	}
	return nobody, nil
}

// login finds the login for a host: its own, or that of the most specific
// pattern unless the config file has something more specific to say.
func (c Chooser) login(host registry.Host, entry config.Entry) (*identity.Login, error) {
	login, err := c.Login(host.String())
	if login != nil || err != nil {
		return login, err
	}
	patterns, err := c.Patterns()
	if err != nil {
		return nil, err
	}
	best := ""
	for _, p := range patterns {
		switch {
		case !strings.HasSuffix(p, "."+host.Cloud().Suffix) || !registry.Matches(p, host): // of another cloud, or none
		case best == "" || registry.MoreSpecific(p, best) > 0:
			best = p
		case registry.MoreSpecific(p, best) == 0:
			return nil, &identity.Error{Why: fmt.Sprintf("the logins for %s and %s match equally well", best, p), Hint: identity.CodePatterns}
		}
	}
	if best == "" || entry.Identity != identity.None && registry.MoreSpecific(entry.Pattern, best) > 0 {
		return nil, nil
	}
	return c.Login(best)
}

// As is who a login would be for a host, for a login command to try it before it
// is stored.
func (c Chooser) As(host registry.Host, l identity.Login) (identity.Identity, error) {
	entry, err := c.Config.Entry(host)
	if err != nil {
		return identity.Identity{}, err
	}
	id, err := c.asLogin(host, l, entry, "the command line")
	id.Audience = host.Cloud().AudienceOr(entry.Audience)
	return id, err
}

// fromLogin completes a stored login. One that holds no secret says where to find
// the proof, as a config entry does. A service principal that came through docker
// login has no tenant of its own.
func (c Chooser) fromLogin(host registry.Host, l identity.Login, e config.Entry) (identity.Identity, error) {
	return c.asLogin(host, l, e, sourceOf(l))
}

// sourceOf says that a choice came from a stored login.
func sourceOf(l identity.Login) string {
	if strings.Contains(l.Server, "*") {
		return identity.PatternLogin + l.Server
	}
	return identity.StoredLogin
}

func (c Chooser) asLogin(host registry.Host, l identity.Login, e config.Entry, source string) (identity.Identity, error) {
	if !l.Sealed() {
		return c.fromEntry(host, config.Entry{
			Identity: l.Kind, Tenant: cmp.Or(l.Tenant, e.Tenant), ClientID: l.ClientID, ObjectID: l.ObjectID, ResourceID: l.ResourceID,
			Subscription: l.Subscription, TokenFile: l.TokenFile, Pattern: l.Server, Source: source,
		})
	}
	id := identity.Identity{
		Kind: l.Kind, Tenant: l.Tenant, ClientID: l.ClientID, User: l.User,
		Login: &l, Fingerprint: l.Fingerprint, Source: source,
	}
	if id.Kind == identity.ServicePrincipal && id.Tenant == "" {
		id.Tenant = c.defaultTenant(e)
	}
	return id, nil
}

// TenantFor is the tenant to assume for a registry where a login names none;
// "" for not known.
func (c Chooser) TenantFor(host registry.Host) string {
	entry, err := c.Config.Entry(host)
	if err != nil {
		return ""
	}
	return c.defaultTenant(entry)
}

func (c Chooser) defaultTenant(e config.Entry) string {
	if e.Tenant != "" {
		return e.Tenant
	}
	if tenant := c.Getenv("AZURE_TENANT_ID"); identity.IsTenant(tenant) {
		return tenant
	}
	return ""
}
