// Package assertion is everything by which an application proves itself to
// Microsoft Entra: a client secret, a certificate, or the token of somebody else
// whom Entra was told to trust. Nothing here is kept: whatever expires is fetched
// or read anew each time that a proof is needed.
//
// (The package is a little longer than a room of this house should be: certificates
// and tokens fail by one type of error.)
package assertion

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries requests to issuers, and to a cluster's token proxy.
	Transport http.RoundTripper
	// Now is the clock that tells what has expired.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
	// Managed gets a token of a user-assigned managed identity for an audience;
	// nil where there are none.
	Managed func(ctx context.Context, clientID, audience string) (secret.Token, error)
}

// Credential is what MSAL needs to prove an identity, with the options that go
// with it. A certificate is read and checked at once; the token of a federated
// credential is fetched when MSAL is about to send it. What goes wrong then comes
// out of MSAL as an Error.
func (c Client) Credential(ctx context.Context, id identity.Identity, cloud registry.Cloud) (confidential.Credential, []confidential.Option, error) {
	switch {
	case id.Federation != nil:
		return c.federated(id, *id.Federation, cloud), nil, nil
	case id.Certificate != nil && id.Secret.IsZero():
		return c.certified(ctx, *id.Certificate)
	}
	credential, err := confidential.NewCredFromSecret(id.Secret.Reveal())
	if err != nil {
		return confidential.Credential{}, nil, errors.New("there is no client secret")
	}
	return credential, nil, nil
}

func (c Client) certified(ctx context.Context, file identity.Certificate) (confidential.Credential, []confidential.Option, error) {
	cert, err := opened(ctx, file)
	if err != nil {
		return confidential.Credential{}, nil, err
	}
	if err := cert.Valid(c.Now()); err != nil {
		return confidential.Credential{}, nil, err
	}
	credential, err := confidential.NewCredFromCert(cert.Chain, cert.Key)
	if err != nil {
		return confidential.Credential{}, nil, unusable("the certificate is not one that Microsoft Entra takes")
	}
	if file.SendChain {
		return credential, []confidential.Option{confidential.WithX5C()}, nil
	}
	return credential, nil, nil
}

// openTimeout bounds the opening of a certificate. How often its password is
// stretched stands in the file: with openssl's numbers that takes milliseconds.
const openTimeout = 5 * time.Second

// opened opens a certificate in a time that the file itself can't choose. What
// goes on beyond it ends with the program.
func opened(ctx context.Context, file identity.Certificate) (cert *Certificate, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	done := make(chan struct{})
	var found *Certificate
	var failed error
	go func() {
		defer close(done)
		found, failed = LoadCertificate(file)
	}()
	select {
	case <-done:
		return found, failed
	case <-ctx.Done():
		return nil, unusable("the certificate takes too long to open: its password is stretched too often")
	}
}

func (c Client) federated(id identity.Identity, fed identity.Federation, cloud registry.Cloud) confidential.Credential {
	audience := cmp.Or(cloud.TokenExchange, registry.TokenExchange)
	return confidential.NewCredFromAssertionCallback(func(ctx context.Context, _ confidential.AssertionRequestOptions) (string, error) {
		token, err := c.token(ctx, id, fed, audience)
		if err != nil {
			return "", err
		}
		return token.Reveal(), nil
	})
}

// token finds the one source that a federation has.
func (c Client) token(ctx context.Context, id identity.Identity, fed identity.Federation, audience string) (secret.String, error) {
	switch {
	case fed.File != "":
		return c.fromFile(fed.File)
	case !fed.Token.IsZero():
		return c.stillGood("the federated token", strings.TrimSpace(fed.Token.Reveal()))
	case fed.ManagedIdentity != "":
		return c.fromManagedIdentity(ctx, fed.ManagedIdentity, audience)
	case fed.RequestURL != "" && (id.Kind == identity.AzurePipelines || fed.Connection != ""):
		return c.fromAzurePipelines(ctx, fed)
	case fed.RequestURL != "":
		return c.fromGitHub(ctx, fed, audience)
	}
	return secret.String{}, &Error{why: "nothing says where the federated token comes from", code: CodeMissing}
}

func (c Client) fromManagedIdentity(ctx context.Context, clientID, audience string) (secret.String, error) {
	if c.Managed == nil {
		return secret.String{}, &Error{why: "there are no managed identities here to vouch for the application", code: CodeMissing}
	}
	token, err := c.Managed(ctx, clientID, audience)
	if err != nil {
		return secret.String{}, &Error{why: "managed identity " + clientID + ", which vouches for the application", code: CodeManaged, cause: err}
	}
	return token.Value, nil
}
