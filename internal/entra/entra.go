// Package entra gets a Microsoft Entra access token for an identity. It and its
// rooms are the only importers of MSAL. No secret and no answer's text leaves it in an error.
package entra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Tools runs developer tools.
	Tools devtool.Tools
	// Now is the clock that tells an expired answer.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// AccessToken signs in, at the cost of two requests to the cloud's authority or
// of one run of az. It keeps nothing: what the token buys is kept.
func (c Client) AccessToken(ctx context.Context, id identity.Identity, cloud registry.Cloud) (secret.Token, error) {
	switch id.Kind {
	case identity.ServicePrincipal:
		return c.servicePrincipal(ctx, id, cloud)
	case identity.AzureCLI:
		return c.Tools.AzureCLI(ctx, id)
	}
	return secret.Token{}, fmt.Errorf("%s can't sign in to Microsoft Entra", id)
}

// servicePrincipal uses the client credentials grant. Instance discovery is off,
// because it would ask login.microsoftonline.com about every other cloud's
// authority; the guard holds MSAL to the authority instead, token endpoint
// included.
func (c Client) servicePrincipal(ctx context.Context, id identity.Identity, cloud registry.Cloud) (secret.Token, error) {
	credential, err := confidential.NewCredFromSecret(id.Secret.Reveal())
	if err != nil {
		return secret.Token{}, errors.New("there is no client secret")
	}
	client, err := confidential.New("https://"+cloud.Authority+"/"+id.Tenant, id.ClientID, credential,
		confidential.WithHTTPClient(authority.NewClient(c.Transport, cloud.Authority, c.Log)),
		confidential.WithInstanceDiscovery(false))
	if err != nil {
		return secret.Token{}, fmt.Errorf("tenant %q is not usable in the %s cloud", id.Tenant, cloud.Name)
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{id.Audience + "/.default"})
	if err != nil {
		return secret.Token{}, authority.Translate(ctx, cloud.Authority, err)
	}
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}, nil
}
