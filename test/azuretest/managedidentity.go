package azuretest

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// managedIdentityTokenLifetime is the lifetime of managed identities' access tokens.
const managedIdentityTokenLifetime = 24 * time.Hour

// A ManagedIdentity is an application without a secret. The endpoints of a ManagedIdentityHost issue its tokens.
type ManagedIdentity struct {
	account
	clientID, resourceID string
	systemAssigned       bool
}

// AddManagedIdentity adds a user-assigned managed identity of this name. An empty name means the system-assigned
// identity of a VM.
func (t *Tenant) AddManagedIdentity(name string) *ManagedIdentity {
	m := &ManagedIdentity{account: t.newAccount(), clientID: newGUID(), systemAssigned: name == ""}
	kind := "Microsoft.ManagedIdentity/userAssignedIdentities/" + name
	if m.systemAssigned {
		kind = "Microsoft.Compute/virtualMachines/builder"
	}
	m.resourceID = fmt.Sprintf("/subscriptions/%s/resourcegroups/builders/providers/%s", newGUID(), kind)
	t.addPrincipal(m)
	return m
}

// ClientID returns the identity's client ID.
func (m *ManagedIdentity) ClientID() string { return m.clientID }

// ResourceID returns the identity's ID in Azure Resource Manager.
func (m *ManagedIdentity) ResourceID() string { return m.resourceID }

// AccessToken implements Principal; a ttl of zero means 24 hours.
func (m *ManagedIdentity) AccessToken(audience string, ttl time.Duration) string {
	return m.tenant.accessToken(m, audience, cmp.Or(ttl, managedIdentityTokenLifetime))
}

func (m *ManagedIdentity) subject() string { return m.clientID }

func (m *ManagedIdentity) describe(c *entraClaims) {
	c.AppID, c.AppIDACR, c.IDType, c.Sub, c.MIRID = m.clientID, "2", "app", m.objectID, m.resourceID
}

// isNamed reports whether a request's parameter selects the identity. The parameters' names differ between endpoints.
func (m *ManagedIdentity) isNamed(parameter, value string) bool {
	switch parameter {
	case "client_id", "clientid":
		return strings.EqualFold(value, m.clientID)
	case "object_id":
		return strings.EqualFold(value, m.objectID)
	}
	return strings.EqualFold(value, m.resourceID)
}
