package selection

import (
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/profile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// azureCLI returns the account of Azure CLI's default subscription, without running az,
// which takes half a second. An account of another cloud than the registry's doesn't
// count; signedIn tells this error from that of no account.
func (s Selector) azureCLI(host registry.Host, e config.Entry) (id identity.Identity, signedIn bool, err error) {
	otherCloud := ""
	for _, sub := range profile.Subscriptions(s.AzureDir) {
		switch {
		case !sub.IsDefault || !text.IsTenant(sub.TenantID):
			continue
		case !sub.IsIn(host.Cloud()):
			otherCloud = sub.Cloud()
			continue
		case s.Find("az") == "":
			return id, true, fault.New(fault.ConfigAzureCLIMissing, "Azure CLI is signed in, but az is not on the PATH")
		}
		id = s.azureAccount(sub, identity.Source{Kind: identity.FromAzureCLI})
		if wanted := s.defaultTenant(e); wanted != "" && wanted != id.Tenant {
			id.Tenant, id.AskTenant = wanted, true
		}
		return id, true, nil
	}
	switch {
	case otherCloud != "":
		return id, true, &fault.Error{
			Code: fault.ConfigAzureCLICloud, Object: host.Cloud().AzureCLI,
			Reason: fmt.Sprintf("Azure CLI is signed in to %s, not to the registry's cloud", otherCloud),
		}
	case s.Find("az") == "":
		return id, false, fault.New(fault.ConfigAzureCLIMissing, "az is not on the PATH")
	}
	return id, false, fault.New(fault.ConfigAzureCLI, "Azure CLI is not signed in")
}

// azureAccount is the account that sees a subscription.
func (s Selector) azureAccount(sub profile.Subscription, source identity.Source) identity.Identity {
	return identity.Identity{
		Kind: identity.AzureCLI, Tenant: sub.TenantID, User: sub.Account(), Fingerprint: sub.Fingerprint(), Source: source,
		ProfileTime: profile.Time(s.AzureDir),
	}
}

// subscription returns the account of the subscription that an entry names, by its id or,
// as az does, by its name in any case. The tenant is the subscription's; AZURE_TENANT_ID
// doesn't count.
func (s Selector) subscription(host registry.Host, e config.Entry) (identity.Identity, error) {
	wrong := func(code fault.Code, reason string) (identity.Identity, error) {
		return refuse(code, "%s%s", selects(e, "azure-cli"), reason)
	}
	all := profile.Subscriptions(s.AzureDir)
	if len(all) == 0 {
		return wrong(fault.ConfigAzureCLI, "Azure CLI is not signed in")
	}
	sub, err := profile.Pick(all, e.Subscription)
	switch {
	case err != nil:
		return wrong(fault.ConfigSubscription, err.Error())
	case !sub.IsIn(host.Cloud()):
		return wrong(fault.ConfigSubscription, fmt.Sprintf("subscription %q belongs to %s", e.Subscription, sub.Cloud()))
	case text.IsGUID(e.Tenant) && !strings.EqualFold(e.Tenant, sub.TenantID):
		return wrong(fault.ConfigSubscription, fmt.Sprintf("subscription %q belongs to tenant %s, not %s",
			e.Subscription, sub.TenantID, e.Tenant))
	case s.Find("az") == "":
		return wrong(fault.ConfigAzureCLIMissing, "az is not on the PATH")
	}
	id := s.azureAccount(sub, e.Source)
	id.Subscription = sub.ID
	return id, nil
}

// toolAccount returns the account that is signed in to azd or Azure PowerShell, without
// running them. Where their files don't tell, the tool itself is asked at each use.
func (s Selector) toolAccount(host registry.Host, e config.Entry) (identity.Identity, error) {
	var a profile.Account
	switch cloud := host.Cloud().AzureCLI; e.Identity {
	case identity.AzureDeveloperCLI:
		if a = profile.Azd(s.AzdDir); a.Cloud != "" && a.Cloud != cloud {
			return otherCloud(fault.ConfigAzdCloud, cloud, "%sAzure Developer CLI uses %s", selects(e, "azd"),
				text.Line(a.Cloud))
		}
	default:
		if a = profile.PowerShell(s.PowerShellDir); a.IsKnown && a.Cloud != cloud {
			return otherCloud(fault.ConfigPowerShellCloud, cloud,
				"%sAzure PowerShell is signed in to %s", selects(e, "azure-powershell"), text.Line(a.Cloud))
		}
	}
	id := identity.Identity{Kind: e.Identity, Source: e.Source, Uncached: !a.IsKnown}
	if a.IsKnown {
		id.Tenant, id.User, id.Fingerprint = a.Tenant, text.Line(a.User), a.User+"\n"+a.Tenant
	}
	if wanted := s.defaultTenant(e); wanted != "" && !strings.EqualFold(wanted, id.Tenant) {
		id.Tenant, id.AskTenant = wanted, true
	}
	return id, nil
}

// otherCloud refuses a tool that uses another cloud than the registry's, which is wanted.
func otherCloud(code fault.Code, wanted, format string, args ...any) (identity.Identity, error) {
	return identity.Identity{}, &fault.Error{Code: code, Object: wanted, Reason: fmt.Sprintf(format, args...)}
}
