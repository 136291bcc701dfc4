// Package entra gets a Microsoft Entra access token for an identity. Only its subpackages
// import MSAL; no secret and no text of an answer leaves them in an error.
package entra

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/clientcredential"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/devtool"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/managedidentity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/user"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Client signs in. It is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Runner runs developer tools and browsers, and reads the environment.
	Runner subprocess.Runner
	// TokenSource gets the tokens of identity.TokenSource; nil for none.
	TokenSource TokenSource
	// Now is the clock that tells what has expired.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// A TokenSource gets an access token for an audience. The time is the token's end; zero for
// unknown.
type TokenSource func(ctx context.Context, audience string) (token string, expiry time.Time, err error)

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
	case identity.TokenSource:
		return c.fromSource(ctx, id.Audience)
	}
	return secret.Token{}, fmt.Errorf("%s can't sign in to Microsoft Entra ID", id)
}

// fromSource gets a token from the token source. Its error is among the causes, and is
// printed up to the end of its first line: the Azure SDKs' go on with the whole answer.
func (c Client) fromSource(ctx context.Context, audience string) (secret.Token, error) {
	token, expiry, err := c.TokenSource(ctx, audience)
	now := c.Now()
	switch {
	case err != nil:
		line, _, _ := strings.Cut(err.Error(), "\n")
		return secret.Token{}, &fault.Error{
			Code: cmp.Or(fault.CodeOf(err), fault.Failed), Reason: "the token source failed: " + text.Line(line), Cause: err,
		}
	case !text.IsVisible(token):
		return secret.Token{}, fault.New(fault.Failed, "the token source returned no token that can be sent")
	case !expiry.IsZero() && !now.Before(expiry):
		return secret.Token{}, fault.New(fault.Failed, "the token source returned a token that has expired")
	}
	return secret.Token{Value: secret.New(token), Issued: now, Expires: expiry}, nil
}
