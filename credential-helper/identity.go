package credhelper

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// An Identity is one that a program sets in its code: a ServicePrincipal, a
// ManagedIdentity or a WorkloadIdentity.
type Identity interface {
	fixed() identity.Identity
}

// A ServicePrincipal is an application in Microsoft Entra with either a client secret or
// a certificate. It doesn't print its secrets.
type ServicePrincipal struct {
	// TenantID is a GUID or a domain, ClientID a GUID. Both are required.
	TenantID, ClientID string
	// Secret is the client secret's value.
	Secret string
	// CertificatePEM is the certificate with its RSA key, in PEM or PKCS#12.
	// CertificatePassword decrypts the key; "" for none.
	CertificatePEM      []byte
	CertificatePassword string
	// SendCertificateChain is for applications that trust a certificate by its subject name
	// and issuer.
	SendCertificateChain bool
}

func (p ServicePrincipal) fixed() identity.Identity {
	id := identity.Identity{
		Kind: identity.ServicePrincipal, Tenant: p.TenantID, ClientID: p.ClientID, Secret: secret.New(p.Secret),
	}
	if len(p.CertificatePEM) > 0 {
		id.Certificate = &identity.Certificate{
			Content: secret.New(string(p.CertificatePEM)), Password: secret.New(p.CertificatePassword),
			SendChain: p.SendCertificateChain,
		}
	}
	return id
}

// Format prints the name, never a secret.
func (p ServicePrincipal) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.fixed().String()) }

// LogValue is the name, never a secret.
func (p ServicePrincipal) LogValue() slog.Value { return slog.StringValue(p.fixed().String()) }

// MarshalText returns the name, never a secret.
func (p ServicePrincipal) MarshalText() ([]byte, error) { return []byte(p.fixed().String()), nil }

// A ManagedIdentity is one that Azure gives to a virtual machine or to a hosted
// application. At most one of the fields names it; with none of them it is the only one
// that the machine or application has. Unlike the managed identity that is found without
// any option, it is an error if there is none.
type ManagedIdentity struct {
	// ClientID and ObjectID are GUIDs.
	ClientID, ObjectID string
	// ResourceID begins with /subscriptions/.
	ResourceID string
}

func (m ManagedIdentity) fixed() identity.Identity {
	return identity.Identity{
		Kind: identity.ManagedIdentity, ClientID: m.ClientID, ObjectID: m.ObjectID, ResourceID: m.ResourceID,
	}
}

// A WorkloadIdentity is an application with a token that Kubernetes puts into a file and
// replaces there. What is "" comes from AZURE_TENANT_ID, AZURE_CLIENT_ID and
// AZURE_FEDERATED_TOKEN_FILE, which AKS sets.
type WorkloadIdentity struct {
	// TenantID is a GUID or a domain, ClientID a GUID.
	TenantID, ClientID string
	// TokenFile is an absolute path.
	TokenFile string
}

func (w WorkloadIdentity) fixed() identity.Identity {
	return identity.Identity{
		Kind: identity.WorkloadIdentity, Tenant: w.TenantID, ClientID: w.ClientID,
		Federation: &identity.Federation{File: w.TokenFile},
	}
}

// WithIdentity makes the helper use id for every Azure container registry, whatever
// logins, config file, environment and machine say. It is checked at the first call, where
// a mistake is an *Error with the code "variable". Its tokens are cached like any others,
// under a hash of its secret. Logins that Add stores for Azure registries are not used
// then. Of several options that set an identity the last one counts; nil unsets it.
func WithIdentity(id Identity) Option {
	return func(h *Helper) {
		h.env.Library.Identity, h.env.Library.TokenSource = nil, nil
		if id != nil {
			fixed := id.fixed()
			fixed.Source = identity.Source{Kind: identity.FromCode, Name: "WithIdentity"}
			h.env.Library.Identity = &fixed
		}
	}
}

// WithTokenSource makes the helper get Microsoft Entra access tokens from source, for
// every Azure container registry, as WithIdentity does. audience is the resource that the
// token must be for, such as https://containerregistry.azure.net; with "/.default" after
// it, it is a scope. expiry may be zero. source is called without holding a lock, at most
// once at a time for a registry, and should end with its ctx. What it returns as err is
// found by errors.As; up to the end of its first line it is part of the message, so it
// must not contain a secret.
//
// The helper can't know whose tokens source returns, so tokens that registries exchange
// them for stay in the helper's memory, and are never written to disk. nil unsets it.
func WithTokenSource(
	source func(ctx context.Context, audience string) (token string, expiry time.Time, err error),
) Option {
	return func(h *Helper) {
		h.env.Library.Identity, h.env.Library.TokenSource = nil, nil
		if source != nil {
			h.env.Library.TokenSource = entra.TokenSource(source)
			h.env.Library.Identity = &identity.Identity{
				Kind: identity.TokenSource, InMemory: true,
				Source: identity.Source{Kind: identity.FromCode, Name: "WithTokenSource"},
			}
		}
	}
}
