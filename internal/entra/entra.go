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

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/assertion"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/machine"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/signin"
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
	// Getenv reads the environment.
	Getenv func(string) string
	// Now is the clock that tells an expired answer.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// AccessToken signs in, at the cost of two requests to the cloud's authority, and
// one to whoever issues a federated credential's token; or of one request to a
// machine's endpoint, or one run of a developer tool. It keeps nothing: what the
// token buys is kept.
func (c Client) AccessToken(ctx context.Context, id identity.Identity, cloud registry.Cloud) (secret.Token, error) {
	switch id.Kind {
	case identity.ServicePrincipal, identity.WorkloadIdentity, identity.FederatedToken, identity.GitHubActions, identity.AzurePipelines:
		return c.application(ctx, id, cloud)
	case identity.ManagedIdentity:
		return c.machine().Token(ctx, id, id.Audience)
	case identity.AzureCLI:
		return c.Tools.AzureCLI(ctx, id)
	case identity.AzureDeveloperCLI:
		return c.Tools.AzureDeveloperCLI(ctx, id)
	case identity.AzurePowerShell:
		return c.Tools.AzurePowerShell(ctx, id)
	}
	return secret.Token{}, fmt.Errorf("%s can't sign in to Microsoft Entra", id)
}

func (c Client) machine() machine.Client {
	return machine.Client{Transport: c.Transport, Getenv: c.Getenv, Now: c.Now, Log: c.Log}
}

// Person signs people in.
func (c Client) Person() signin.Client {
	return signin.Client{Transport: c.Transport, Now: c.Now, Log: c.Log}
}

// application uses the client credentials grant. Instance discovery is off,
// because it would ask login.microsoftonline.com about every other cloud's
// authority; the guard holds MSAL to the authority instead, token endpoint
// included.
func (c Client) application(ctx context.Context, id identity.Identity, cloud registry.Cloud) (secret.Token, error) {
	client, err := c.confidential(ctx, id, cloud)
	if err != nil {
		return secret.Token{}, err
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{id.Audience + "/.default"})
	var unproved *assertion.Error
	if errors.As(err, &unproved) {
		return secret.Token{}, unproved
	}
	if err != nil {
		return secret.Token{}, authority.Translate(ctx, cloud.Authority, err)
	}
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}, nil
}

// confidential sets MSAL up for one sign-in.
func (c Client) confidential(ctx context.Context, id identity.Identity, cloud registry.Cloud) (confidential.Client, error) {
	proofs := assertion.Client{
		Transport: c.Transport, Now: c.Now, Log: c.Log,
		Managed: func(ctx context.Context, clientID, audience string) (secret.Token, error) {
			return c.machine().Token(ctx, identity.Identity{Kind: identity.ManagedIdentity, ClientID: clientID, Endpoint: id.Endpoint}, audience)
		},
	}
	credential, options, err := proofs.Credential(ctx, id, cloud)
	if err != nil {
		return confidential.Client{}, err
	}
	http, err := proofs.HTTP(id, cloud)
	if err != nil {
		return confidential.Client{}, err
	}
	options = append(options, confidential.WithHTTPClient(http), confidential.WithInstanceDiscovery(false))
	client, err := confidential.New("https://"+cloud.Authority+"/"+id.Tenant, id.ClientID, credential, options...)
	if err != nil {
		return confidential.Client{}, fmt.Errorf("tenant %q is not usable in the %s cloud", id.Tenant, cloud.Name)
	}
	return client, nil
}
