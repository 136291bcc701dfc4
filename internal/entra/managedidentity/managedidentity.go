// Package managedidentity gets access tokens of managed identities from the endpoints
// that Azure provides on the same host: IMDS on virtual machines, and those of App
// Service, Service Fabric, Azure ML, Cloud Shell and Azure Arc. They use plain HTTP, and
// some want a secret of the environment; so a request goes to exactly the address that
// the environment names, through no proxy, and outside Azure it ends within a second.
package managedidentity

import (
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	msal "github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Client is safe for many goroutines.
type Client struct {
	// Transport carries the requests. Of an *http.Transport a copy without a proxy is
	// used; any other must not use a proxy.
	Transport http.RoundTripper
	// Getenv reads the environment. MSAL also reads the process's own; where the two
	// differ, nothing is sent.
	Getenv func(string) string
	// Now is the clock that dates tokens.
	Now func() time.Time
	// Log gets the steps.
	Log *slog.Logger
}

// totalTimeout limits a whole AccessToken, retries included: a get has 30 s, and the
// exchange follows.
const totalTimeout = 15 * time.Second

// AccessToken gets an access token of a managed identity for an audience, which is a
// resource without /.default. Of id it uses Endpoint and at most one of ClientID,
// ObjectID and ResourceID; without any it is the computer's only identity. It costs one
// or two requests to the endpoint (three on IMDS, which answers within milliseconds in
// Azure). MSAL keeps the token for the life of the process, by id and audience alone;
// nothing is written to disk.
func (c Client) AccessToken(ctx context.Context, id identity.Identity, audience string) (secret.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	selector, err := selectorOf(id)
	if err != nil {
		return secret.Token{}, err
	}
	address, err := c.address(id.Endpoint)
	if err != nil {
		return secret.Token{}, err
	}
	if err := checkSource(id.Endpoint); err != nil {
		return secret.Token{}, err
	}
	endpoint := &endpointClient{Client: c, id: id, address: address, http: &http.Client{
		Transport: withoutProxy(c.Transport), CheckRedirect: noRedirect,
	}}
	defer endpoint.CloseIdleConnections()
	client, err := msal.New(selector, msal.WithHTTPClient(endpoint), msal.WithRetryPolicyDisabled())
	if err != nil {
		return secret.Token{}, endpoint.explainMSAL(ctx, err)
	}
	result, err := client.AcquireToken(ctx, audience)
	if err != nil {
		return secret.Token{}, endpoint.explainMSAL(ctx, err)
	}
	return secret.Token{Value: secret.New(result.AccessToken), Issued: c.Now(), Expires: result.ExpiresOn}, nil
}

// selectorOf returns MSAL's form of the identity's id. What an endpoint can't be asked
// for is refused here: some would answer with another identity.
func selectorOf(id identity.Identity) (msal.ID, error) {
	var ids []msal.ID
	if id.ClientID != "" {
		ids = append(ids, msal.UserAssignedClientID(id.ClientID))
	}
	if id.ObjectID != "" {
		ids = append(ids, msal.UserAssignedObjectID(id.ObjectID))
	}
	if id.ResourceID != "" {
		ids = append(ids, msal.UserAssignedResourceID(id.ResourceID))
	}
	switch {
	case len(ids) == 0:
		return msal.SystemAssigned(), nil
	case len(ids) > 1:
		return nil, fail(id.Endpoint, fault.IdentitySelector, "accepts only one of client ID, object ID and resource ID")
	case id.Endpoint == identity.CloudShell || id.Endpoint == identity.ServiceFabric:
		return nil, fail(id.Endpoint, fault.IdentityOnly, "has only one managed identity, which can't be selected by an ID")
	case id.Endpoint == identity.MachineLearn && id.ClientID == "":
		return nil, fail(id.Endpoint, fault.IdentitySelector, "accepts a client ID only")
	}
	return ids[0], nil
}

// Addresses of endpoints that no variable names. (Microsoft Learn, "How to use managed
// identities on an Azure VM to acquire an access token" and "Authenticate against Azure
// resources with Azure Arc-enabled servers".)
const (
	imdsAddress = "http://169.254.169.254/metadata/identity/oauth2/token"
	arcAddress  = "http://127.0.0.1:40342/metadata/identity/oauth2/token"
)

// sources maps MSAL's names of endpoints to ours.
var sources = map[msal.Source]identity.Endpoint{
	msal.DefaultToIMDS: identity.IMDS,
	msal.AppService:    identity.AppService,
	msal.ServiceFabric: identity.ServiceFabric,
	msal.AzureML:       identity.MachineLearn,
	msal.CloudShell:    identity.CloudShell,
	msal.AzureArc:      identity.Arc,
}

// checkSource compares the selected endpoint with the one that MSAL is going to use: it
// reads the process's environment, not the one that was handed in.
func checkSource(selected identity.Endpoint) error {
	source, err := msal.GetSource()
	seen := sources[source]
	switch {
	case err != nil || seen == "":
		return fail(selected, fault.EndpointMismatch, "was selected, but the process's environment has no endpoint")
	case seen != selected:
		return fail(selected, fault.EndpointMismatch, "was selected, but the process's environment has that of "+string(seen))
	}
	return nil
}

// address returns where the environment says that an endpoint is. All but Service
// Fabric's use plain HTTP.
func (c Client) address(e identity.Endpoint) (*url.URL, error) {
	name := "IDENTITY_ENDPOINT"
	if e == identity.MachineLearn || e == identity.CloudShell {
		name = "MSI_ENDPOINT"
	}
	address := c.Getenv(name)
	switch {
	case e == identity.IMDS:
		address = imdsAddress
	case e == identity.Arc && address == "":
		address = arcAddress
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fail(e, fault.EndpointVariable, "has no valid URL: "+name)
	}
	switch {
	case e != identity.ServiceFabric:
	case u.Scheme != "https":
		return nil, fail(e, fault.EndpointVariable, "must use https, and "+name+" does not")
	case !isThumbprint(c.Getenv("IDENTITY_SERVER_THUMBPRINT")):
		return nil, fail(e, fault.EndpointVariable, "can't be verified: IDENTITY_SERVER_THUMBPRINT is not a SHA-1 thumbprint")
	}
	return u, nil
}

// isThumbprint allows colons and spaces, as MSAL does.
func isThumbprint(s string) bool {
	sum, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(s))
	return err == nil && len(sum) == 20
}

// explainMSAL finds the one sentence for an MSAL error, whose own text quotes whole
// answers.
func (c *endpointClient) explainMSAL(ctx context.Context, err error) error {
	if failed, ok := errors.AsType[*fault.Error](err); ok {
		return failed
	}
	if ctx.Err() != nil {
		return httpguard.Explain(c.address.Host, ctx.Err())
	}
	if c.keyPath != "" {
		return c.explainChallenge()
	}
	return fail(c.id.Endpoint, fault.EndpointOther, "returned an invalid response")
}

// HasNone reports whether an error says that the computer has no managed identity that
// could be used without naming it.
func HasNone(err error) bool {
	return fault.Is(err, fault.IMDSAbsent, fault.NoManagedIdentity, fault.SeveralIdentities)
}

// fail returns an error of an endpoint.
func fail(endpoint identity.Endpoint, code fault.Code, reason string) *fault.Error {
	return &fault.Error{Code: code, Subject: "the managed identity endpoint (" + string(endpoint) + ")", Reason: reason}
}
