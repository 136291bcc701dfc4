package identity

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// fromEnvironment reads the variables of Azure's SDKs (azidentity's
// EnvironmentCredential). None of them set is nobody; some of them set is an
// error that names the others, because falling through to another identity
// would hide a typing error. AZURE_TENANT_ID alone is no more than a default,
// and a secret alone may be meant for a service principal of the config file.
func (c Chooser) fromEnvironment(host registry.Host, e Entry) (Identity, error) {
	const id, tenant, value = "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET"
	if c.Getenv(id) == "" && (c.Getenv(value) == "" || c.configuresServicePrincipal()) {
		return Identity{}, nil
	}
	var set, missing []string
	for _, name := range []string{id, tenant, value} {
		if c.Getenv(name) != "" {
			set = append(set, name)
		} else if name != tenant || e.Tenant == "" {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		return Identity{}, &Error{strings.Join(set, " and ") + " set, but not " + strings.Join(missing, " and "), CodeHalfSet}
	}
	if !IsGUID(c.Getenv(id)) {
		return Identity{}, &Error{id + " is not a GUID", CodeBadVariable}
	}
	tenantID := cmp.Or(e.Tenant, c.Getenv(tenant))
	if !validTenant(tenantID) {
		return Identity{}, &Error{tenant + " is neither a GUID nor a domain", CodeBadVariable}
	}
	if err := c.checkAuthority(host.Cloud()); err != nil {
		return Identity{}, err
	}
	s := secret.New(c.Getenv(value))
	return Identity{
		Kind: ServicePrincipal, Tenant: tenantID, ClientID: c.Getenv(id),
		Secret: s, Fingerprint: s.Fingerprint(), Source: id,
	}, nil
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
		return &Error{name + " is not of the form https://HOST/", CodeBadVariable}
	}
	if !cloud.Is(strings.ToLower(u.Host)) {
		return &Error{fmt.Sprintf("%s is %s, but the registry belongs to the %s cloud (%s)", name, printable(u.Host), cloud.Name, cloud.Authority), CodeWrongCloud}
	}
	return nil
}

// IsGUID says whether a string has the form of a client or tenant id.
func IsGUID(s string) bool {
	groups := strings.Split(s, "-")
	if len(groups) != 5 {
		return false
	}
	for i, digits := range []int{8, 4, 4, 4, 12} {
		if len(groups[i]) != digits || strings.Trim(groups[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// validTenant accepts a GUID or a domain; Entra's common, organizations and
// consumers stand for no tenant in particular.
func validTenant(s string) bool {
	return validName(s) && (IsGUID(s) || strings.Contains(s, "."))
}

// validName accepts what can be a host name. It keeps anything else out of URLs
// and of Azure CLI's command line.
func validName(s string) bool {
	const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && len(s) <= 253 && strings.Trim(s, alphanumeric+".-") == "" && strings.Trim(s, ".-") == s
}
