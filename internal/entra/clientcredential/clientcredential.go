// Package clientcredential signs applications in to Microsoft Entra, by the client
// credentials grant: with a client secret, a certificate, or the token of another issuer
// that Entra trusts. Nothing is cached here: whatever expires is fetched or read again
// for each sign-in.
package clientcredential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries requests to Entra, to issuers, and to a cluster's token proxy.
	Transport http.RoundTripper
	// Now is the clock that tells what has expired.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
	// ManagedIdentity gets a token of a managed identity, for an application that uses
	// one as its credential. It must not be nil.
	ManagedIdentity func(ctx context.Context, id identity.Identity, audience string) (secret.Token, error)
}

// AccessToken signs an application in, at the cost of two requests to the cloud's
// authority, and one more to the issuer of a federated credential's token. Instance
// discovery is off, because it would ask login.microsoftonline.com about every other
// cloud's authority; the HTTP client keeps MSAL to the authority instead, token endpoint
// included.
func (c Client) AccessToken(ctx context.Context, id identity.Identity, cloud registry.Cloud) (secret.Token, error) {
	credential, err := c.credential(ctx, id, cloud)
	if err != nil {
		return secret.Token{}, err
	}
	transport, err := c.transport(id)
	if err != nil {
		return secret.Token{}, err
	}
	options := []confidential.Option{
		confidential.WithInstanceDiscovery(false),
		confidential.WithHTTPClient(authority.NewClient(transport, cloud, c.Log)),
		confidential.WithAzureRegion("DisableMsalForceRegion"), // else MSAL_FORCE_REGION selects another host
	}
	if id.Certificate != nil && id.Certificate.SendChain {
		options = append(options, confidential.WithX5C())
	}
	client, err := confidential.New("https://"+cloud.Authority+"/"+id.Tenant, id.ClientID, credential, options...)
	if err != nil {
		return secret.Token{}, fmt.Errorf("tenant %q can't be used in the %s cloud", id.Tenant, cloud.Name)
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{id.Audience + "/.default"})
	if err != nil {
		return secret.Token{}, explainSecret(id.Secret, authority.Explain(ctx, cloud.Authority, err))
	}
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}, nil
}

// wrongSecret is Entra's number for a client secret that isn't the application's.
const wrongSecret = 7000215

// explainSecret adds to Entra's refusal of a client secret what is around the secret, or that
// it is a placeholder, which can't be known to be wrong before that.
func explainSecret(value secret.String, err error) error {
	code, why := fault.InvalidValue(value.Reveal())
	refused, ok := errors.AsType[*fault.Error](err)
	if !ok || refused.Code != fault.AADSTS(wrongSecret) || code == "" {
		return err
	}
	explained := *refused
	explained.Reason = refused.Code.Meaning() + ": it " + why
	explained.Cause = &fault.Error{Code: code, Cause: refused.Cause}
	return &explained
}

// credential returns MSAL's form of an identity's credential. A certificate is read and
// checked at once; the token of a federated credential is fetched when MSAL is about to
// send it.
func (c Client) credential(
	ctx context.Context, id identity.Identity, cloud registry.Cloud,
) (confidential.Credential, error) {
	switch {
	case id.Federation != nil:
		return confidential.NewCredFromAssertionCallback(
			func(ctx context.Context, _ confidential.AssertionRequestOptions) (string, error) {
				token, err := c.assertion(ctx, id, cmp.Or(cloud.TokenExchange, registry.TokenExchange))
				return token.Reveal(), err
			}), nil
	case id.Certificate != nil && id.Secret.IsZero():
		return c.certificate(ctx, *id.Certificate)
	}
	credential, err := confidential.NewCredFromSecret(id.Secret.Reveal())
	if err != nil {
		return confidential.Credential{}, errors.New("there is no client secret")
	}
	return credential, nil
}

func (c Client) certificate(ctx context.Context, file identity.Certificate) (confidential.Credential, error) {
	cert, err := LoadCertificate(ctx, file)
	if err != nil {
		return confidential.Credential{}, err
	}
	if err := cert.checkDates(c.Now()); err != nil {
		return confidential.Credential{}, err
	}
	credential, err := confidential.NewCredFromCert(cert.Chain, cert.Key)
	if err != nil {
		return confidential.Credential{}, unusable("Microsoft Entra ID does not accept such a certificate")
	}
	return credential, nil
}
