package selection

import (
	"cmp"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
)

// managedIdentity returns the managed identity that an entry names, or the only one of
// the computer or hosted application. Computers may share a home directory, so a
// computer's identity has the computer in its fingerprint.
func (s Selector) managedIdentity(e config.Entry, source identity.Source) identity.Identity {
	id := identity.Identity{
		Kind: identity.ManagedIdentity, ClientID: e.ClientID, ObjectID: e.ObjectID, ResourceID: e.ResourceID,
		Endpoint: cmp.Or(identity.DetectEndpoint(s.getenv, s.Exists), identity.IMDS), Source: source,
	}
	machine := ""
	if id.Endpoint == identity.IMDS || id.Endpoint == identity.Arc { // other endpoints have an address and a secret
		machine = s.MachineID()
		id.InMemory = machine == ""
	}
	id.Fingerprint = hash("managed", string(id.Endpoint), s.getenv("IDENTITY_ENDPOINT"), s.getenv("IDENTITY_HEADER"),
		s.getenv("MSI_ENDPOINT"), s.getenv("MSI_SECRET"), e.ObjectID, e.ResourceID, machine)
	return id
}

// onUserVM reports whether this computer is an Azure VM that may have the user's managed
// identity. Microsoft-hosted GitHub and Azure DevOps runners are Azure VMs too, but their
// identity is not the user's. (GitHub Docs, "Variables reference": RUNNER_ENVIRONMENT.)
func (s Selector) onUserVM() bool {
	return s.getenv("RUNNER_ENVIRONMENT") != "github-hosted" && s.getenv("AGENT_ISSELFHOSTED") != "0" && s.OnAzureVM()
}

// serviceAccountToken is where Kubernetes puts a pod's token, unless the pod wants none.
const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// isInPod reports whether this is a container of a Kubernetes pod. cron, sudo and sshd
// drop the variable.
func (s Selector) isInPod() bool {
	return s.getenv("KUBERNETES_SERVICE_HOST") != "" || s.Exists(serviceAccountToken)
}

// MayHaveManagedIdentity reports whether this is a host on which Azure provides managed
// identities. Nothing is asked.
func (s Selector) MayHaveManagedIdentity() bool {
	return identity.DetectEndpoint(s.getenv, s.Exists) != "" || s.onUserVM()
}

// fromMachine returns the computer's managed identity, if it is an Azure VM or enrolled
// in Azure Arc. Inside a pod that is the node's identity, which no container may use
// unless it is configured.
func (s Selector) fromMachine() identity.Identity {
	if s.EnvironmentOnly || s.isInPod() || !s.MayHaveManagedIdentity() {
		return identity.Identity{}
	}
	id := s.managedIdentity(config.Entry{}, identity.Source{Kind: identity.FromMachine})
	id.Detected = true
	return id
}
