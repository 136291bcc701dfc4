package choice

import (
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/profile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// fromDeveloperCLI finds out who is signed in to azd, without running it. Where
// its files don't tell, azd itself is asked at each use.
func (c Chooser) fromDeveloperCLI(host registry.Host, e config.Entry) (identity.Identity, error) {
	user, tenant, cloud, known := profile.Azd(c.AzdDir)
	if cloud != "" && cloud != host.Cloud().AzureCLI {
		return identity.Identity{}, &identity.Error{Why: e.Source + " says azd, but Azure Developer CLI works for " + identity.Printable(cloud), Hint: identity.CodeAzdCloud}
	}
	return c.fromTool(identity.AzureDeveloperCLI, e, user, tenant, known), nil
}

// fromPowerShell finds out who is signed in to Azure PowerShell, without running
// it. Where its files don't tell, PowerShell itself is asked at each use.
func (c Chooser) fromPowerShell(host registry.Host, e config.Entry) (identity.Identity, error) {
	user, tenant, cloud, known := profile.PowerShell(c.PowerShellDir)
	if known && cloud != host.Cloud().AzureCLI {
		return identity.Identity{}, &identity.Error{Why: e.Source + " says azure-powershell, but Azure PowerShell is signed in to " + identity.Printable(cloud), Hint: identity.CodePowerShellCloud}
	}
	return c.fromTool(identity.AzurePowerShell, e, user, tenant, known), nil
}

// fromTool completes an identity whose user is known, or not.
func (c Chooser) fromTool(kind identity.Kind, e config.Entry, user, tenant string, known bool) identity.Identity {
	id := identity.Identity{Kind: kind, Source: e.Source, Uncached: !known}
	if known {
		id.Tenant, id.User, id.Fingerprint = tenant, identity.Printable(user), user+"\n"+tenant
	}
	if wanted := c.defaultTenant(e); wanted != "" && !strings.EqualFold(wanted, id.Tenant) {
		id.Tenant, id.AskTenant = wanted, true
	}
	return id
}
