// Package entra gets a Microsoft Entra access token for an identity. It is the
// only importer of MSAL. No secret and no answer's text leaves it in an error.
package entra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// maxAnswer bounds what is read of an answer; tokens of people with many groups
// reach tens of kilobytes.
const maxAnswer = 1 << 20

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests.
	Transport http.RoundTripper
	// Tools runs Azure CLI.
	Tools Tools
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
		return c.azureCLI(ctx, id)
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
	authority := "https://" + cloud.Authority + "/" + id.Tenant
	client, err := confidential.New(authority, id.ClientID, credential,
		confidential.WithHTTPClient(c.answers(cloud.Authority)),
		confidential.WithInstanceDiscovery(false))
	if err != nil {
		return secret.Token{}, fmt.Errorf("tenant %q is not usable in the %s cloud", id.Tenant, cloud.Name)
	}
	result, err := client.AcquireTokenByCredential(ctx, []string{id.Audience + "/.default"})
	if err != nil {
		return secret.Token{}, translate(ctx, cloud.Authority, err)
	}
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}, nil
}

// translate keeps MSAL's own texts away from people: they quote whole bodies.
func translate(ctx context.Context, authority string, err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	var failed *guard.Error
	if errors.As(err, &failed) {
		return failed
	}
	if ctx.Err() != nil {
		return guard.Explain(authority, ctx.Err())
	}
	return &guard.Error{Host: authority, Why: "answered in a way that can't be believed", Hint: guard.CodeNotJSON}
}

// answers is the HTTP client that MSAL gets: every answer but 200 becomes an
// Error before MSAL sees it.
func (c Client) answers(authority string) *answers {
	return &answers{guard.New(c.Transport, authority, maxAnswer, c.Log), authority}
}

type answers struct {
	client    *http.Client
	authority string
}

func (a *answers) Do(req *http.Request) (*http.Response, error) {
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, guard.Explain(a.authority, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, guard.Explain(a.authority, err)
	}
	return nil, newError(resp, body)
}

func (a *answers) CloseIdleConnections() { a.client.CloseIdleConnections() }
