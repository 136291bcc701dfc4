package choice

import (
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/proof"
)

// hosted is the endpoint by which App Service and its like hand out managed
// identities to what runs there; "" elsewhere.
func (c Chooser) hosted() identity.Endpoint {
	return identity.DetectEndpoint(c.Getenv, func(string) bool { return false })
}

// endpoint is the hosted endpoint, or that of Azure Arc's agent on the machine.
func (c Chooser) endpoint() identity.Endpoint { return identity.DetectEndpoint(c.Getenv, c.Exists) }

// managed is the managed identity that an entry names, or the only one that the
// machine or the hosted application has.
func (c Chooser) managed(e config.Entry, source string) identity.Identity {
	id := identity.Identity{
		Kind: identity.ManagedIdentity, ClientID: e.ClientID, ObjectID: e.ObjectID, ResourceID: e.ResourceID,
		Endpoint: c.endpoint(), Source: source,
	}
	if id.Endpoint == "" {
		id.Endpoint = identity.IMDS
	}
	id.Fingerprint = proof.Hash("managed", string(id.Endpoint),
		c.Getenv("IDENTITY_ENDPOINT"), c.Getenv("IDENTITY_HEADER"), c.Getenv("MSI_ENDPOINT"), c.Getenv("MSI_SECRET"),
		e.ObjectID, e.ResourceID)
	return id
}

// ownVM says whether this is a machine of Azure's that could have an identity of
// its user's: the runners that GitHub and Azure DevOps lend are machines of
// Azure's, too. (GitHub Docs, "Variables reference": RUNNER_ENVIRONMENT.)
func (c Chooser) ownVM() bool {
	return c.Getenv("RUNNER_ENVIRONMENT") != "github-hosted" && c.Getenv("AGENT_ISSELFHOSTED") != "0" && c.OnAzureVM()
}

// HasManagedIdentity says whether what we run on may have a managed identity: it is
// one of Azure's hosts. Nobody is asked.
func (c Chooser) HasManagedIdentity() bool { return c.endpoint() != "" || c.ownVM() }

// fromMachine is the identity of the machine, if it is one of Azure's or enrolled
// in Azure Arc. Inside a pod the machine's identity is the kubelet's, which no
// container shall borrow unless somebody says so.
func (c Chooser) fromMachine() identity.Identity {
	if c.Getenv("KUBERNETES_SERVICE_HOST") != "" || !c.HasManagedIdentity() {
		return identity.Identity{}
	}
	id := c.managed(config.Entry{}, "the machine's own identity")
	id.Presumed = true
	return id
}
