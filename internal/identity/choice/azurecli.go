package choice

import (
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/profile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// azureAccount is whoever signed in to see a subscription.
func azureAccount(s profile.Subscription, source string) identity.Identity {
	return identity.Identity{Kind: identity.AzureCLI, Tenant: s.TenantID, User: s.Account(), Fingerprint: s.Fingerprint(), Source: source}
}

// belongs says whether the subscription lies in the registry's cloud.
func belongs(s profile.Subscription, host registry.Host) bool {
	return s.EnvironmentName != "" && s.EnvironmentName == host.Cloud().AzureCLI
}

// fromAzureCLI finds the account of Azure CLI's default subscription, without
// running az: that takes half a second. Someone signed in to another cloud than
// the registry's is nobody here. The Source of nobody says what is missing, and the
// code what to do about it.
func (c Chooser) fromAzureCLI(host registry.Host, e config.Entry) (id identity.Identity, missing string) {
	missing = identity.CodeNoAzureCLI
	for _, s := range profile.Subscriptions(c.AzureDir) {
		switch {
		case !s.IsDefault || !identity.IsTenant(s.TenantID):
			continue
		case !belongs(s, host):
			id.Source, missing = "Azure CLI is signed in to "+identity.Printable(s.EnvironmentName), identity.CodeAzureCLICloud
			continue
		case !c.HasAzureCLI():
			return identity.Identity{Source: "Azure CLI is signed in, but az is not on the PATH"}, identity.CodeAzureCLIMissing
		}
		id = azureAccount(s, "Azure CLI's default subscription")
		if wanted := c.defaultTenant(e); wanted != "" && wanted != id.Tenant {
			id.Tenant, id.AskTenant = wanted, true
		}
		return id, ""
	}
	if id.Source == "" && !c.HasAzureCLI() {
		missing = identity.CodeAzureCLIMissing
	}
	return id, missing
}

// fromSubscription finds the account of the subscription that the config file
// names, by its id or, as az does, by its name in whatever case. The tenant is
// the subscription's; AZURE_TENANT_ID doesn't count.
func (c Chooser) fromSubscription(host registry.Host, e config.Entry) (identity.Identity, error) {
	says := e.Source + " says azure-cli with subscription " + identity.Printable(e.Subscription) + ", but "
	all := profile.Subscriptions(c.AzureDir)
	if len(all) == 0 {
		return identity.Identity{}, &identity.Error{Why: says + "Azure CLI is not signed in", Hint: identity.CodeNoAzureCLI}
	}
	s, err := profile.Pick(all, e.Subscription)
	switch {
	case err != nil:
		return identity.Identity{}, &identity.Error{Why: says + "Azure CLI has " + err.Error(), Hint: identity.CodeNoSubscription}
	case !belongs(s, host):
		return identity.Identity{}, &identity.Error{Why: says + "that belongs to " + identity.Printable(s.EnvironmentName), Hint: identity.CodeNoSubscription}
	case identity.IsGUID(e.Tenant) && !strings.EqualFold(e.Tenant, s.TenantID):
		return identity.Identity{}, &identity.Error{Why: says + "that belongs to tenant " + s.TenantID + ", not " + e.Tenant, Hint: identity.CodeNoSubscription}
	case !c.HasAzureCLI():
		return identity.Identity{}, &identity.Error{Why: says + "az is not on the PATH", Hint: identity.CodeAzureCLIMissing}
	}
	id := azureAccount(s, e.Source)
	id.Subscription = s.ID
	return id, nil
}
