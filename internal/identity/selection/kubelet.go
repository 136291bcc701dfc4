package selection

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/kubelet"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Kubelet is what changes in a selection for kubelet: it uses the identity of the pod's
// service account or of the node, never a developer's.
type Kubelet struct {
	// Token is the token of the pod's service account, and Annotations are its annotations.
	// A token means that service account or an error, never the node's identity.
	Token       secret.String
	Annotations map[string]string
	// Node is what azure.json says of the node, in place of the environment and the computer;
	// nil for no such file.
	Node *kubelet.AzureJSON
	// DefaultClientID and DefaultTenant are for service accounts without annotations; "" for
	// none. Proxy signs service accounts in instead of Entra; the zero value for none.
	DefaultClientID, DefaultTenant string
	Proxy                          identity.TokenProxy
}

// BindingAudience is the audience of the tokens that AKS identity bindings take. (Microsoft
// Learn, "Identity bindings concepts".)
const BindingAudience = "api://AKSIdentityBinding"

// hasToken reports whether the request is about a service account.
func (k *Kubelet) hasToken() bool { return k != nil && !k.Token.IsZero() }

// serviceAccount returns the application that a pod's service account signs in as.
func (s Selector) serviceAccount(e config.Entry) (identity.Identity, error) {
	k := s.Kubelet
	claims, err := parseAssertion(k.Token.Reveal())
	if err != nil {
		return refuse(fault.ServiceAccount, "the service account token is %v", err)
	}
	name := strings.TrimPrefix(claims.Subject, "system:serviceaccount:")
	name = "service account " + text.Line(strings.ReplaceAll(name, ":", "/"))
	clientID, tenant := s.accountApplication(e)
	if wrong := cmp.Or(k.wrongAudience(claims), wrongApplication(clientID, tenant)); wrong != "" {
		return refuse(fault.ServiceAccount, "%s: %s", name, wrong)
	}
	id := identity.Identity{
		Kind: identity.WorkloadIdentity, Tenant: tenant, ClientID: clientID,
		Federation: &identity.Federation{Token: k.Token, Proxy: k.Proxy},
		Assertion:  identity.Assertion{Hash: k.Token.Fingerprint()},
		Source:     identity.Source{Kind: identity.FromServiceAccount, Name: name},
		Fingerprint: hash(append([]string{
			"service account", claims.Issuer, claims.Subject, claims.Kubernetes.ServiceAccount.UID, k.Proxy.URL,
			k.Proxy.ServerName,
		}, claims.Audience...)...),
	}
	if claims.ExpiresAt != nil {
		id.Assertion.Expires = claims.ExpiresAt.Time
	}
	return id, nil
}

// accountApplication returns the client ID and tenant of a service account: those of its
// annotations, else of the config file, else the defaults; "" for none.
func (s Selector) accountApplication(e config.Entry) (clientID, tenant string) {
	k := s.Kubelet
	clientID, tenant = k.Annotations[kubelet.ClientIDAnnotation], k.Annotations[kubelet.TenantIDAnnotation]
	if e.Identity.IsApplication() {
		clientID = cmp.Or(clientID, e.ClientID)
	}
	clientID, tenant = cmp.Or(clientID, k.DefaultClientID), cmp.Or(tenant, e.Tenant, k.DefaultTenant)
	if k.Proxy.URL != "" && k.Node != nil { // identity bindings are for managed identities of the cluster's tenant
		tenant = cmp.Or(tenant, k.Node.Tenant)
	}
	return clientID, tenant
}

// wrongApplication says what is wrong with an application; "" for nothing.
func wrongApplication(clientID, tenant string) string {
	switch {
	case clientID == "":
		return "it has no annotation " + kubelet.ClientIDAnnotation
	case !text.IsGUID(clientID):
		return fmt.Sprintf("its client ID %q is not a GUID", text.Line(clientID))
	case tenant == "":
		return "it has no annotation " + kubelet.TenantIDAnnotation
	case !text.IsTenant(tenant):
		return fmt.Sprintf("its tenant %q is neither a GUID nor a domain", text.Line(tenant))
	}
	return ""
}

// wrongAudience says why a token is sent nowhere; "" for one that may be exchanged. One for
// another audience could be used there, such as at the cluster's API server.
func (k *Kubelet) wrongAudience(claims assertionClaims) string {
	isBound, isBinding := slices.Contains(claims.Audience, BindingAudience), k.Proxy.URL != ""
	switch {
	case isBinding && !isBound:
		return fmt.Sprintf("its token is for %s, not for %s, which identity bindings need", audiences(claims),
			BindingAudience)
	case isBound && !isBinding:
		return fmt.Sprintf("its token is for %s, but no identity binding is configured (--ib-sni-name)", BindingAudience)
	case !isExchangeable(claims.Audience):
		return fmt.Sprintf("its token is for %s, not for %s", audiences(claims), registry.TokenExchange)
	}
	return ""
}

// isExchangeable reports whether a token is for nothing but an exchange. The audience of a
// federated credential can be chosen; Kubernetes' API server has an https URL.
func isExchangeable(audience []string) bool {
	return len(audience) == 1 && strings.HasPrefix(audience[0], "api://")
}

func audiences(claims assertionClaims) string {
	if len(claims.Audience) == 0 {
		return "no audience"
	}
	return text.Line(strings.Join(claims.Audience, ", "))
}

// node returns the identity that azure.json names; None where it names none. Of the
// environment it uses AZURE_FEDERATED_TOKEN_FILE alone.
func (s Selector) node(host registry.Host, e config.Entry) (identity.Identity, error) {
	a := *s.Kubelet.Node
	source := identity.Source{Kind: identity.FromAzureJSON, Name: a.Path}
	wrong := func(format string, args ...any) (identity.Identity, error) {
		return refuse(fault.AzureJSON, "%s: %s", text.Line(a.Path), fmt.Sprintf(format, args...))
	}
	id, err := s.nodeCredential(a, source)
	switch {
	case err != nil:
		return identity.Identity{Source: source}, err
	case id.Kind == identity.None && a.OtherIdentity != "":
		return wrong("%s is not supported", a.OtherIdentity)
	case id.Kind == identity.None && a.ClientID != "":
		return wrong("aadClientSecret or aadClientCertPath is not set")
	case id.Kind == identity.None:
		return id, nil
	case !isOf(host.Cloud(), a):
		return refuse(fault.AzureJSONCloud, "%s is for another cloud than that of the registry (%s)",
			text.Line(a.Path), host.Cloud().Name)
	case id.Kind == identity.ManagedIdentity && areDifferent(a.Tenant, e.Tenant):
		return refuse(fault.AzureJSONTenant, "a managed identity of tenant %s can't sign in to tenant %s", a.Tenant, e.Tenant)
	}
	id.Source = source
	if id.Kind != identity.ManagedIdentity {
		id.ClientID, id.Tenant = a.ClientID, cmp.Or(e.Tenant, a.Tenant)
	}
	return id, nil
}

// areDifferent reports whether two tenants are known to be different ones: a domain may be
// that of any.
func areDifferent(a, b string) bool {
	return text.IsGUID(a) && text.IsGUID(b) && !strings.EqualFold(a, b)
}

// nodeCredential returns what azure.json's identity signs in with, in the order in which
// cloud-provider-azure looks at its fields.
func (s Selector) nodeCredential(a kubelet.AzureJSON, source identity.Source) (identity.Identity, error) {
	switch {
	case a.UseTokenFile:
		path := cmp.Or(s.getenv(azureVars.tokenFile), a.TokenFile)
		if path == "" {
			return refuse(fault.AzureJSON, "%s: aadFederatedTokenFile is not set", text.Line(a.Path))
		}
		id, err := s.tokenFile(identity.WorkloadIdentity, path, source)
		if id.Federation != nil {
			id.Federation.Proxy = identity.TokenProxy{} // that of a pod's environment
		}
		return id, err
	case a.UseManagedIdentity:
		return s.managedIdentity(config.Entry{ClientID: a.ManagedClientID(), ResourceID: a.ResourceID()}, source), nil
	case a.ClientID != "" && !a.Secret.IsZero():
		return identity.Identity{
			Kind: identity.ServicePrincipal, Secret: a.Secret, Fingerprint: a.Secret.Fingerprint(),
		}, nil
	case a.ClientID != "" && a.Certificate != "":
		return nodeCertificate(a, source)
	}
	return identity.Identity{}, nil
}

// nodeCertificate returns the certificate that azure.json names.
func nodeCertificate(a kubelet.AzureJSON, source identity.Source) (identity.Identity, error) {
	if !filepath.IsAbs(a.Certificate) {
		return refuse(fault.AzureJSON, "%s: aadClientCertPath is not an absolute path", text.Line(a.Path))
	}
	content, err := readNamed("certificate", a.Certificate, source)
	if err != nil {
		return identity.Identity{}, err
	}
	c := identity.Certificate{Content: secret.New(string(content)), Password: a.CertificatePassword}
	return identity.Identity{
		Kind: identity.ServicePrincipal, Certificate: &c, Fingerprint: certificateFingerprint(c),
	}, nil
}

// isOf reports whether a registry's cloud is the one that azure.json names, or has the same
// authority. An Azure Stack that azure.json doesn't describe may be any custom cloud.
func isOf(cloud registry.Cloud, a kubelet.AzureJSON) bool {
	if a.IsStack && a.Cloud.Authority == "" {
		return cloud.AzureCLI == "" || cloud.AzureCLI == "AzureStackCloud"
	}
	return cloud.HasAuthority(a.Cloud.Authority)
}
