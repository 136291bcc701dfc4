package login

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A namedTenant is a tenant that something on this computer names for the registry. No
// registry names its own before a sign-in, and none does so when it refuses one.
type namedTenant struct {
	tenant string // an ID or a domain
	by     string // what names it
}

// namedTenants returns the tenants that are named for the registry, the most reliable one
// first: a login is only stored after the registry has accepted it.
func (a *attempt) namedTenants(ctx context.Context) (all []namedTenant) {
	add := func(tenant, by string) {
		if tenant != "" {
			all = append(all, namedTenant{tenant, by})
		}
	}
	if a.previous != nil {
		add(a.previous.Tenant, "the previous login")
	}
	add(a.registryTenant(ctx), "a stored token of the registry")
	byDefault := a.selector.TenantFor(a.host)
	if a.entry.Tenant != "" {
		add(byDefault, a.entry.Source.String())
	} else {
		add(byDefault, "AZURE_TENANT_ID")
	}
	return all
}

// noteTenant says which tenant a user is about to sign in to. Without a name that is the
// account's own, which is wrong for a guest.
func (a *attempt) noteTenant(ctx context.Context) {
	if a.isTyped("tenant") {
		return
	}
	where := "the tenant of your account"
	for _, named := range a.namedTenants(ctx) {
		if strings.EqualFold(named.tenant, a.login.Tenant) {
			where = fmt.Sprintf("tenant %s (from %s)", named.tenant, named.by)
			break
		}
	}
	a.Note("signing in to " + where + "; for a registry of another tenant, use --tenant ID")
}

// warnOfTenant warns before a sign-in to another tenant than the one that is named for the
// registry, most reliably where several are. A domain can't be compared with an ID here, and
// the registries that a pattern matches may have several tenants.
func (a *attempt) warnOfTenant(ctx context.Context, tenant string) {
	if a.target != a.host.String() || !text.IsGUID(tenant) {
		return
	}
	for _, named := range a.namedTenants(ctx) {
		if !text.IsGUID(named.tenant) {
			continue
		}
		if !strings.EqualFold(tenant, named.tenant) {
			a.app.Log.Warn(fmt.Sprintf("%s: %s names tenant %s, but you are signing in to tenant %s",
				a.target, named.by, named.tenant, tenant))
		}
		return
	}
}

// registryTenant returns the tenant in a token that the registry issued, as az acr login
// stores one; "" for unknown.
func (a *attempt) registryTenant(ctx context.Context) string {
	if a.target != a.host.String() {
		return ""
	}
	return a.vault.RegistryTenant(ctx, a.target)
}
