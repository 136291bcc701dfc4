package azuretest

import (
	"fmt"
	"strings"
)

// A Tenant is an Entra tenant of one authority.
type Tenant struct {
	cloud     *Cloud
	authority *authority
	id        string
	domains   []string

	// guarded by Cloud.mu
	principals []Principal
	policy     policy
}

// AddTenant adds a tenant in the public cloud. An empty ID means a new one; requests may use a domain instead of the
// ID.
func (c *Cloud) AddTenant(id string, domains ...string) *Tenant {
	return c.AddTenantAt(DefaultAuthority, id, domains...)
}

// AddTenantAt adds a tenant of the authority that the host belongs to, such as login.partner.microsoftonline.cn. It
// doesn't exist in the other clouds.
func (c *Cloud) AddTenantAt(authority, id string, domains ...string) *Tenant {
	a, ok := authorityOf(authority)
	if !ok {
		panic(fmt.Sprintf("azuretest: unknown authority %q", authority))
	}
	if id == "" {
		id = newGUID()
	}
	t := &Tenant{cloud: c, authority: a, id: strings.ToLower(id), domains: domains}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenants = append(c.tenants, t)
	return t
}

// ID returns the tenant's GUID, in lower case.
func (t *Tenant) ID() string { return t.id }

// hasName reports whether name is the tenant's ID or one of its domains.
func (t *Tenant) hasName(name string) bool {
	return strings.EqualFold(name, t.id) || containsFold(t.domains, name)
}

// tenant returns a tenant by ID or domain; otherCloud reports that only another cloud has it.
func (c *Cloud) tenant(a *authority, name string) (t *Tenant, otherCloud bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tenants {
		if !t.hasName(name) {
			continue
		}
		if t.authority == a {
			return t, false
		}
		otherCloud = true
	}
	return nil, otherCloud
}

// application returns a service principal by its client ID, or nil.
func (t *Tenant) application(clientID string) *ServicePrincipal {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	for _, p := range t.principals {
		if sp, ok := p.(*ServicePrincipal); ok && strings.EqualFold(sp.clientID, clientID) {
			return sp
		}
	}
	return nil
}
