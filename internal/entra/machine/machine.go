// Package machine gets access tokens of managed identities from the endpoints
// that Azure puts beside a program: IMDS on virtual machines, and what App
// Service, Service Fabric, Azure ML, Cloud Shell and Azure Arc have. These are
// plain-HTTP neighbours, some of which want a secret of the environment; so a
// request goes to exactly the address that the environment names, through no
// proxy, and off Azure it is over within a second.
package machine

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests. Of an *http.Transport a copy without any
	// proxy is used, whatever else implements the interface is used as it is and
	// must not use one; nil is a transport of the package's own.
	Transport http.RoundTripper
	// Getenv reads the environment. MSAL reads the process's own besides; where
	// the two differ, nothing is sent.
	Getenv func(string) string
	// Now is the clock that dates tokens.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// callLimit bounds a whole Token, repetitions included: a get has 30 s, and the
// exchange comes afterwards.
const callLimit = 15 * time.Second

// Token gets an access token of a managed identity for an audience, which is a
// resource without /.default. Of id it uses Endpoint and at most one of ClientID,
// ObjectID and ResourceID; none of them is the identity that the machine has.
// It costs one or two requests to a neighbour of the program (three on IMDS, where
// Azure answers within milliseconds). MSAL keeps the token for the life of the
// process, by id and audience alone; nobody keeps it on disk.
func (c Client) Token(ctx context.Context, id identity.Identity, audience string) (secret.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	chosen, err := selector(id)
	if err != nil {
		return secret.Token{}, err
	}
	m, err := c.messenger(id)
	if err != nil {
		return secret.Token{}, err
	}
	defer m.CloseIdleConnections()
	client, err := managedidentity.New(chosen, managedidentity.WithHTTPClient(m), managedidentity.WithRetryPolicyDisabled())
	if err != nil {
		return secret.Token{}, m.translate(ctx, err)
	}
	result, err := client.AcquireToken(ctx, audience)
	if err != nil {
		return secret.Token{}, m.translate(ctx, err)
	}
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}, nil
}

// Detect says which hosted endpoint the environment names, in MSAL's order, or
// that Azure Arc's agent is installed; "" for neither. IMDS names itself nowhere.
func Detect(getenv func(string) string) identity.Endpoint {
	return identity.DetectEndpoint(getenv, func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// selector says in MSAL's words which identity is meant. What an endpoint can't
// be asked for is refused here: some would answer with another identity.
func selector(id identity.Identity) (managedidentity.ID, error) {
	var chosen []managedidentity.ID
	if id.ClientID != "" {
		chosen = append(chosen, managedidentity.UserAssignedClientID(id.ClientID))
	}
	if id.ObjectID != "" {
		chosen = append(chosen, managedidentity.UserAssignedObjectID(id.ObjectID))
	}
	if id.ResourceID != "" {
		chosen = append(chosen, managedidentity.UserAssignedResourceID(id.ResourceID))
	}
	switch {
	case len(chosen) == 0:
		return managedidentity.SystemAssigned(), nil
	case len(chosen) > 1:
		return nil, &Error{Endpoint: id.Endpoint, Why: "can be asked for one id at a time", Hint: CodeSelector}
	case id.Endpoint == identity.CloudShell || id.Endpoint == identity.ServiceFabric:
		return nil, &Error{Endpoint: id.Endpoint, Why: "can't be asked for a certain identity", Hint: CodeSelector}
	case id.Endpoint == identity.MachineLearn && id.ClientID == "":
		return nil, &Error{Endpoint: id.Endpoint, Why: "can be asked for a client id only", Hint: CodeSelector}
	}
	return chosen[0], nil
}
