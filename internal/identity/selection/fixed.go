package selection

import (
	"cmp"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// fixed checks and completes the identity that a program set in its code. It shares
// cached tokens with the same identity in the environment.
func (s Selector) fixed() (identity.Identity, error) {
	id, source := *s.Fixed, s.Fixed.Source
	entry := config.Entry{
		Identity: id.Kind, Tenant: id.Tenant, ClientID: id.ClientID, ObjectID: id.ObjectID, ResourceID: id.ResourceID,
	}
	if id.Kind == identity.WorkloadIdentity { // as azidentity does
		entry.TokenFile = cmp.Or(id.Federation.File, s.getenv(azureVars.tokenFile))
		entry.ClientID = cmp.Or(id.ClientID, s.getenv(azureVars.clientID))
		entry.Tenant = cmp.Or(id.Tenant, s.getenv(azureVars.tenant))
	}
	if err := entry.Validate(); err != nil {
		return wrongInCode(source, err.Error())
	}
	isApplication := id.Kind.IsApplication()
	switch {
	case isApplication && (!text.IsGUID(entry.ClientID) || !text.IsTenant(entry.Tenant)):
		return wrongInCode(source, id.Kind.ApplicationName()+" needs a client ID and a tenant ID")
	case id.Kind == identity.ManagedIdentity:
		return s.managedIdentity(entry, source), nil
	case id.Kind == identity.WorkloadIdentity && entry.TokenFile == "":
		return wrongInCode(source, "there is no token file, and "+azureVars.tokenFile+" is not set")
	case id.Kind == identity.WorkloadIdentity:
		completed, err := s.tokenFile(id.Kind, entry.TokenFile, source)
		completed.ClientID, completed.Tenant = entry.ClientID, entry.Tenant
		return completed, err
	case isApplication && id.Secret.IsZero() == (id.Certificate == nil):
		return wrongInCode(source, "service principal needs a secret or a certificate, and not both")
	case id.Certificate != nil:
		id.Fingerprint = certificateFingerprint(*id.Certificate)
	default:
		id.Fingerprint = id.Secret.Fingerprint()
	}
	return id, nil
}

func wrongInCode(source identity.Source, reason string) (identity.Identity, error) {
	return identity.Identity{}, &fault.Error{
		Code: fault.Variable, Object: source.Name, Reason: source.Name + ": " + reason,
	}
}
