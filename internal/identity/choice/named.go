package choice

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/proof"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// fromEntry is who a config entry, or a login without a secret, says to be. What
// it leaves out comes from the environment.
func (c Chooser) fromEntry(host registry.Host, e config.Entry) (identity.Identity, error) {
	switch e.Identity {
	case identity.Anonymous:
		return identity.Identity{Kind: identity.Anonymous, Source: e.Source}, nil
	case identity.User:
		return identity.Identity{}, &identity.Error{Why: e.Source + " says that a person signs in, and nobody has yet", Hint: identity.CodeSignedOut}
	case identity.ManagedIdentity:
		return c.managed(e, e.Source), nil
	case identity.AzureDeveloperCLI:
		return c.fromDeveloperCLI(host, e)
	case identity.AzurePowerShell:
		return c.fromPowerShell(host, e)
	case identity.AzureCLI:
		if e.Subscription != "" {
			return c.fromSubscription(host, e)
		}
		id, missing := c.fromAzureCLI(host, e)
		why := "Azure CLI is not signed in"
		if missing == identity.CodeAzureCLIMissing {
			why = "az is not on the PATH"
		}
		if missing != "" {
			return id, &identity.Error{Why: e.Source + " says azure-cli, but " + cmp.Or(id.Source, why), Hint: missing}
		}
		id.Source = e.Source
		return id, nil
	}
	return c.applicationOf(e)
}

// applicationOf takes the proof for an entry's application from the entry or the
// environment, provided that it isn't another application's.
func (c Chooser) applicationOf(e config.Entry) (identity.Identity, error) {
	id, err := c.proofOf(e)
	if err != nil {
		return identity.Identity{}, err
	}
	id.ClientID = cmp.Or(e.ClientID, c.clientFor(id.Kind))
	id.Tenant = c.defaultTenant(e)
	if id.Tenant == "" && id.Kind == identity.AzurePipelines {
		id.Tenant = c.Getenv("AZURESUBSCRIPTION_TENANT_ID")
	}
	switch {
	case !identity.IsGUID(id.ClientID):
		return identity.Identity{}, &identity.Error{Why: fmt.Sprintf("%s says %s, but no client id", e.Source, e.Identity), Hint: identity.CodeConfig}
	case !identity.IsTenant(id.Tenant):
		return identity.Identity{}, &identity.Error{Why: fmt.Sprintf("%s says %s %s, but no tenant", e.Source, identity.Words[e.Identity], id.ClientID), Hint: identity.CodeConfig}
	}
	id.Source = e.Source
	return id, nil
}

func (c Chooser) clientFor(kind identity.Kind) string {
	if kind == identity.AzurePipelines {
		return c.env().First("AZURESUBSCRIPTION_CLIENT_ID", proof.Azure.ClientID)
	}
	return c.Getenv(proof.Azure.ClientID)
}

// proofOf finds the proof of an entry's kind.
func (c Chooser) proofOf(e config.Entry) (identity.Identity, error) {
	switch e.Identity {
	case identity.ServicePrincipal:
		return c.servicePrincipal(e)
	case identity.WorkloadIdentity:
		if path := cmp.Or(e.TokenFile, c.Getenv(proof.Azure.TokenFile)); path != "" {
			return c.env().File(identity.WorkloadIdentity, path, e.Source)
		}
		return identity.Identity{}, c.noProof(e, proof.Azure.TokenFile)
	case identity.FederatedToken:
		return c.federatedToken(e)
	case identity.GitHubActions:
		if f := c.env().GitHub(proof.Azure); f != nil {
			return proof.GitHubActions(*f), nil
		}
		return identity.Identity{}, &identity.Error{Why: e.Source + " says github-actions, but GitHub gives this job no token", Hint: identity.CodeNoIDToken}
	default: // AzurePipelines; the check of entries admits no other kind
		connection := cmp.Or(e.ServiceConnection, c.env().First(proof.Azure.Connection, proof.ARM.Connection))
		if f := c.env().Issuer(connection, c.Getenv("SYSTEM_OIDCREQUESTURI"), c.Getenv("SYSTEM_ACCESSTOKEN")); f != nil && connection != "" {
			return proof.AzurePipelines(*f), nil
		}
		return identity.Identity{}, &identity.Error{Why: e.Source + " says azure-pipelines, but SYSTEM_ACCESSTOKEN or the service connection is not set", Hint: identity.CodeNoPipelineToken}
	}
}

func (c Chooser) servicePrincipal(e config.Entry) (identity.Identity, error) {
	if e.Certificate != "" {
		return c.env().Certificate(e.Certificate, proof.Azure.CertificatePassword, e.Source)
	}
	name := proof.Azure.Secret
	if c.Getenv(name) == "" && c.Getenv(proof.Azure.Certificate) != "" {
		name = proof.Azure.Certificate
	}
	if c.Getenv(name) == "" {
		return identity.Identity{}, c.noProof(e, name)
	}
	if owner := c.Getenv(proof.Azure.ClientID); owner != "" && !strings.EqualFold(owner, e.ClientID) {
		return identity.Identity{}, &identity.Error{Why: fmt.Sprintf("%s says service principal %s, but %s belongs to %s", e.Source, e.ClientID, name, identity.Printable(owner)), Hint: identity.CodeNoProof}
	}
	if name == proof.Azure.Certificate {
		return c.env().Certificate(c.Getenv(name), proof.Azure.CertificatePassword, name)
	}
	return c.env().Secret(proof.Azure), nil
}

func (c Chooser) federatedToken(e config.Entry) (identity.Identity, error) {
	variable := cmp.Or(e.TokenVariable, proof.Azure.Token)
	switch {
	case e.TokenFile != "":
		return c.env().File(identity.FederatedToken, e.TokenFile, e.Source)
	case e.VouchedBy != "":
		machine := c.managed(config.Entry{}, "")
		return identity.Identity{
			Kind: identity.FederatedToken, Federation: &identity.Federation{ManagedIdentity: e.VouchedBy},
			Endpoint: machine.Endpoint, Fingerprint: proof.Hash("vouched", machine.Fingerprint, e.VouchedBy),
		}, nil
	case c.Getenv(variable) != "":
		return c.env().Token(variable)
	}
	return identity.Identity{}, c.noProof(e, variable)
}

func (c Chooser) noProof(e config.Entry, variable string) error {
	return &identity.Error{Why: fmt.Sprintf("%s says %s %s, but %s is not set", e.Source, identity.Words[e.Identity], cmp.Or(e.ClientID, "of AZURE_CLIENT_ID"), variable), Hint: identity.CodeNoProof}
}
