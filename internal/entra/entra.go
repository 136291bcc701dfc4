// Package entra gets a Microsoft Entra access token for an identity. Only its subpackages
// import MSAL; no secret and no text of an answer leaves them in an error.
package entra

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/clientcredential"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/managedidentity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/user"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
)

// A Client signs in. It is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Runner runs developer tools and browsers, and reads the environment.
	Runner subprocess.Runner
	// Now is the clock that tells what has expired.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// Users returns the client for users, whom AccessToken doesn't know.
func (c Client) Users() user.Client {
	return user.Client{Transport: c.Transport, Now: c.Now, Log: c.Log, Sleep: httpguard.Sleep}
}

// Tools returns the client for developer tools, which also opens browsers.
func (c Client) Tools() devtool.Tools { return devtool.Tools{Runner: c.Runner, Now: c.Now} }

// AccessToken gets an access token for an identity other than a user, at the cost of two
// requests to the cloud's authority, and one more to the issuer of a federated
// credential's token; or of one request to a managed identity's endpoint, or one run of a
// developer tool.
func (c Client) AccessToken(ctx context.Context, id identity.Identity, cloud registry.Cloud) (secret.Token, error) {
	managed := managedidentity.Client{Transport: c.Transport, Getenv: c.Runner.Getenv, Now: c.Now, Log: c.Log}
	switch id.Kind {
	case identity.ServicePrincipal, identity.WorkloadIdentity, identity.FederatedToken, identity.GitHubActions,
		identity.AzurePipelines:
		applications := clientcredential.Client{
			Transport: c.Transport, Now: c.Now, Log: c.Log, ManagedIdentity: managed.AccessToken,
		}
		return applications.AccessToken(ctx, id, cloud)
	case identity.ManagedIdentity:
		return managed.AccessToken(ctx, id, id.Audience)
	case identity.AzureCLI, identity.AzureDeveloperCLI, identity.AzurePowerShell:
		return c.Tools().AccessToken(ctx, id)
	}
	return secret.Token{}, fmt.Errorf("%s can't sign in to Microsoft Entra", id)
}
