package choice

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/proof"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// fromEnvironment finds the application that the environment names with its
// proof, or the hosted application that runs us. None of it set is nobody; some
// of it set is an error that names the rest, because falling through to another
// identity would hide a typing error. AZURE_TENANT_ID alone is no more than a
// default, and a secret alone may be meant for an entry of the config file.
func (c Chooser) fromEnvironment(host registry.Host, e config.Entry) (identity.Identity, error) {
	f := proof.Azure
	aks := c.Getenv(proof.Azure.ClientID) == "" && c.env().Truthy("ARM_USE_AKS_WORKLOAD_IDENTITY") // AKS sets AZURE_FEDERATED_TOKEN_FILE in any case
	if c.present(proof.ARM) && (aks || !c.present(proof.Azure)) {
		f = proof.ARM
	}
	switch {
	case f == proof.ARM && c.env().Truthy("ARM_USE_MSI"):
		return c.checked(host, f, c.managed(config.Entry{ClientID: c.Getenv(f.ClientID)}, "ARM_USE_MSI"))
	case c.present(f):
		return c.application(host, f, e)
	case c.hosted() != "":
		return c.managed(config.Entry{}, string(c.hosted())+"'s endpoint"), nil
	}
	return identity.Identity{}, nil
}

// present says whether anything but a tenant is set. A proof alone may be what
// the config file relies on.
func (c Chooser) present(f proof.Family) bool {
	if c.Getenv(f.ClientID) != "" || f == proof.Azure && c.env().Pipelines(f) != nil || f == proof.ARM && c.env().Truthy("ARM_USE_MSI") {
		return true
	}
	for _, proof := range []string{f.Secret, f.Certificate, f.CertificateContent, f.TokenFile, f.Token} {
		if c.env().First(proof) != "" {
			return !c.Config.ConfiguresApplication()
		}
	}
	return false
}

// application completes a proof with whose it is.
func (c Chooser) application(host registry.Host, f proof.Family, e config.Entry) (identity.Identity, error) {
	id, err := c.env().Find(f)
	if err != nil {
		return identity.Identity{}, err
	}
	id.ClientID, id.Tenant = c.Getenv(f.ClientID), cmp.Or(e.Tenant, c.Getenv(f.Tenant))
	if id.Kind == identity.AzurePipelines {
		id.ClientID = cmp.Or(id.ClientID, c.Getenv("AZURESUBSCRIPTION_CLIENT_ID"))
		id.Tenant = cmp.Or(id.Tenant, c.Getenv("AZURESUBSCRIPTION_TENANT_ID"))
	}
	if id.Kind == identity.None && id.ClientID != "" && c.HasManagedIdentity() {
		return c.checked(host, f, c.managed(config.Entry{ClientID: id.ClientID}, f.ClientID))
	}
	if err := c.complete(f, id); err != nil {
		return identity.Identity{}, err
	}
	if !identity.IsTenant(id.Tenant) {
		return identity.Identity{}, &identity.Error{Why: f.Tenant + " is neither a GUID nor a domain", Hint: identity.CodeBadVariable}
	}
	if !id.Secret.IsZero() {
		id.Source = f.ClientID
	}
	return c.checked(host, f, id)
}

// complete refuses what is set by half.
func (c Chooser) complete(f proof.Family, id identity.Identity) error {
	var set, missing []string
	sort := func(present bool, name string) {
		if present {
			set = append(set, name)
		} else {
			missing = append(missing, name)
		}
	}
	sort(id.ClientID != "", f.ClientID)
	sort(id.Tenant != "", f.Tenant)
	needed := f.Secret
	if f == proof.ARM && !c.env().Truthy("ARM_USE_OIDC") && c.env().First(f.Token, f.TokenFile) != "" {
		needed = "ARM_USE_OIDC"
	}
	sort(id.Kind != identity.None, cmp.Or(id.Source, needed))
	switch {
	case missing == nil:
		return nil
	case id.Kind == identity.None && id.ClientID != "" && c.Getenv("GITHUB_ACTIONS") == "true":
		return &identity.Error{Why: f.ClientID + " set, but GitHub gives this job no token to prove it", Hint: identity.CodeNoIDToken}
	case id.Kind == identity.None && id.ClientID != "" && c.Getenv("SYSTEM_OIDCREQUESTURI") != "":
		return &identity.Error{Why: f.ClientID + " set, but SYSTEM_ACCESSTOKEN or the service connection is not", Hint: identity.CodeNoPipelineToken}
	}
	return &identity.Error{Why: strings.Join(set, " and ") + " set, but not " + strings.Join(missing, " and "), Hint: identity.CodeHalfSet}
}

// checked refuses what can't be a client id, and the authority of another cloud
// than the registry's.
func (c Chooser) checked(host registry.Host, f proof.Family, id identity.Identity) (identity.Identity, error) {
	if id.ClientID != "" && !identity.IsGUID(id.ClientID) {
		return identity.Identity{}, &identity.Error{Why: f.ClientID + " is not a GUID", Hint: identity.CodeBadVariable}
	}
	check := c.checkAuthority
	if f == proof.ARM {
		check = c.checkARMEnvironment
	}
	if err := check(host.Cloud()); err != nil {
		return identity.Identity{}, err
	}
	return id, nil
}

// checkAuthority refuses an AZURE_AUTHORITY_HOST of another cloud before any
// request: the secret belongs to the cloud that the variable names, and the
// token would be worthless to the registry.
func (c Chooser) checkAuthority(cloud registry.Cloud) error {
	const name = "AZURE_AUTHORITY_HOST"
	value := c.Getenv(name)
	if value == "" {
		return nil
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || strings.Trim(u.Path, "/") != "" {
		return &identity.Error{Why: name + " is not of the form https://HOST/", Hint: identity.CodeBadVariable}
	}
	if !cloud.Is(strings.ToLower(u.Host)) {
		return &identity.Error{Why: fmt.Sprintf("%s is %s, but the registry belongs to the %s cloud (%s)", name, identity.Printable(u.Host), cloud.Name, cloud.Authority), Hint: identity.CodeWrongCloud}
	}
	return nil
}

// armClouds maps Terraform's names of environments to those of Azure CLI.
var armClouds = map[string]string{
	"public": "AzureCloud", "usgovernment": "AzureUSGovernment", "china": "AzureChinaCloud", "german": "AzureGermanCloud",
}

// checkARMEnvironment does for Terraform's variables what checkAuthority does for
// the SDKs'.
func (c Chooser) checkARMEnvironment(cloud registry.Cloud) error {
	const name = "ARM_ENVIRONMENT"
	value := strings.ToLower(c.Getenv(name))
	if named, known := armClouds[value]; value != "" && (!known || named != cloud.AzureCLI) {
		return &identity.Error{Why: fmt.Sprintf("%s is %s, but the registry belongs to the %s cloud", name, identity.Printable(value), cloud.Name), Hint: identity.CodeWrongCloud}
	}
	return nil
}

// env reads what applications prove themselves by.
func (c Chooser) env() proof.Environment { return proof.Environment{Getenv: c.Getenv} }
