package azuretest

import (
	"fmt"
	"strings"
	"time"
)

// machineLife is how long access tokens of managed identities live.
const machineLife = 24 * time.Hour

// A ManagedIdentity is an application whose secret nobody knows but Azure: a
// Machine that it is assigned to gets tokens for the asking.
type ManagedIdentity struct {
	tenant                         *Tenant
	clientID, objectID, resourceID string
	system                         bool
}

// AddManagedIdentity creates a managed identity: a user-assigned one of this
// name, or, for an empty name, the system-assigned one of some machine.
func (t *Tenant) AddManagedIdentity(name string) *ManagedIdentity {
	m := &ManagedIdentity{tenant: t, clientID: newGUID(), objectID: newGUID(), system: name == ""}
	kind := "Microsoft.ManagedIdentity/userAssignedIdentities/" + name
	if m.system {
		kind = "Microsoft.Compute/virtualMachines/builder"
	}
	m.resourceID = fmt.Sprintf("/subscriptions/%s/resourcegroups/builders/providers/%s", newGUID(), kind)
	t.cloud.mu.Lock()
	defer t.cloud.mu.Unlock()
	t.principals = append(t.principals, m)
	return m
}

// ClientID is one of the three names of the identity.
func (m *ManagedIdentity) ClientID() string { return m.clientID }

// ResourceID is the identity's name in Azure Resource Manager.
func (m *ManagedIdentity) ResourceID() string { return m.resourceID }

// Tenant implements Principal.
func (m *ManagedIdentity) Tenant() *Tenant { return m.tenant }

// ObjectID implements Principal.
func (m *ManagedIdentity) ObjectID() string { return m.objectID }

// AccessToken implements Principal; a ttl of zero is 24 hours. A token for
// ExchangeAudience is one of version 2.0, as Entra makes it for applications
// that trust a managed identity.
func (m *ManagedIdentity) AccessToken(audience string, ttl time.Duration) string {
	if ttl == 0 {
		ttl = machineLife
	}
	if audience != m.tenant.ExchangeAudience() {
		return m.tenant.mint(m, audience, ttl, nil)
	}
	now := m.tenant.cloud.Now()
	token := m.tenant.cloud.signer.sign(map[string]any{
		"aud": audience, "iss": "https://" + m.tenant.AuthorityHost() + "/" + m.tenant.id + "/v2.0",
		"iat": now.Add(-backdating).Unix(), "nbf": now.Add(-backdating).Unix(), "exp": now.Add(ttl).Unix(),
		"aio": randomText(30), "azp": m.clientID, "azpacr": "2", "idtyp": "app", "oid": m.objectID,
		"rh": "1." + randomText(33) + ".", "sub": m.objectID, "tid": m.tenant.id, "uti": randomText(16), "ver": "2.0",
	})
	m.tenant.cloud.canaries.add(token)
	return token
}

// ExchangeAudience is what assertions for federated credentials of this tenant's
// cloud are for. (Microsoft Learn, "Configure an application to trust a managed
// identity".)
func (t *Tenant) ExchangeAudience() string {
	const public = "api://AzureADTokenExchange"
	switch t.authority.instance {
	case "partner.microsoftonline.cn":
		return public + "China"
	case "microsoftonline.us":
		return public + "USGov"
	}
	return public
}

func (m *ManagedIdentity) subject() string { return m.clientID }

func (m *ManagedIdentity) describe(c *entraClaims) {
	c.AppID, c.AppIDACR, c.IDType, c.Sub, c.MIRID = m.clientID, "2", "app", m.objectID, m.resourceID
}

// is tells whether the identity is meant by a parameter of a request. Each
// endpoint has its own names for them.
func (m *ManagedIdentity) is(parameter, value string) bool {
	switch parameter {
	case "client_id", "clientid":
		return strings.EqualFold(value, m.clientID)
	case "object_id", "principal_id":
		return strings.EqualFold(value, m.objectID)
	}
	return strings.EqualFold(value, m.resourceID)
}
