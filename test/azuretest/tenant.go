package azuretest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Tenant is one Entra directory, known to one authority.
type Tenant struct {
	cloud     *Cloud
	authority *authority
	id        string
	domains   []string

	// guarded by Cloud.mu
	life       time.Duration
	principals []Principal
	policy     policy
}

// AddTenant creates a tenant in the public cloud. An empty id means a new one;
// domains are further names that requests may use in its place.
func (c *Cloud) AddTenant(id string, domains ...string) *Tenant {
	return c.AddTenantAt(DefaultAuthority, id, domains...)
}

// AddTenantAt creates a tenant at the authority that the host belongs to, such as
// login.partner.microsoftonline.cn. Other clouds' authorities don't know it.
func (c *Cloud) AddTenantAt(authority, id string, domains ...string) *Tenant {
	a, ok := authorityOf(authority)
	if !ok {
		panic(fmt.Sprintf("azuretest: %q is no authority of Azure's", authority))
	}
	if id == "" {
		id = newGUID()
	}
	t := &Tenant{cloud: c, authority: a, id: strings.ToLower(id), domains: domains, life: accessLife}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenants = append(c.tenants, t)
	return t
}

// ID is the tenant's GUID, in lower case.
func (t *Tenant) ID() string { return t.id }

// AuthorityHost is the preferred host of the tenant's authority.
func (t *Tenant) AuthorityHost() string { return t.authority.hosts[0] }

// TokenLife sets how long access tokens live from now on. The default is 75
// minutes, the mean of Entra's random 60 to 90; clients that declare themselves
// able to handle continuous access evaluation get 24 hours in any case.
func (t *Tenant) TokenLife(d time.Duration) {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.life = d
}

// tokenLife is what TokenLife set.
func (t *Tenant) tokenLife() time.Duration {
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	return t.life
}

// called tells whether name is the tenant's id or one of its domains.
func (t *Tenant) called(name string) bool {
	return strings.EqualFold(name, t.id) ||
		slices.ContainsFunc(t.domains, func(d string) bool { return strings.EqualFold(d, name) })
}

// tenant finds a tenant by id or domain; elsewhere tells that only another
// authority knows it.
func (c *Cloud) tenant(a *authority, name string) (t *Tenant, elsewhere bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tenants {
		if !t.called(name) {
			continue
		}
		if t.authority == a {
			return t, false
		}
		elsewhere = true
	}
	return nil, elsewhere
}

// application finds a service principal by its client id.
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
