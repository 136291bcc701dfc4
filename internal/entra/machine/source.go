package machine

import (
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// Where endpoints are that no variable names. (Microsoft Learn, "How to use managed
// identities on an Azure VM to acquire an access token" and "Authenticate against
// Azure resources with Azure Arc-enabled servers".)
const (
	imdsAddress = "http://169.254.169.254/metadata/identity/oauth2/token"
	arcAddress  = "http://127.0.0.1:40342/metadata/identity/oauth2/token"
)

// sources are MSAL's names for what identity calls an Endpoint.
var sources = map[managedidentity.Source]identity.Endpoint{
	managedidentity.DefaultToIMDS: identity.IMDS,
	managedidentity.AppService:    identity.AppService,
	managedidentity.ServiceFabric: identity.ServiceFabric,
	managedidentity.AzureML:       identity.MachineLearn,
	managedidentity.CloudShell:    identity.CloudShell,
	managedidentity.AzureArc:      identity.Arc,
}

// agree compares what was chosen with what MSAL is going to use: it reads the
// process's environment, not the one that the choice was made by.
func agree(chosen identity.Endpoint) error {
	source, err := managedidentity.GetSource()
	seen := sources[source]
	if err != nil || seen == "" {
		return &Error{Endpoint: chosen, Why: "was chosen, but MSAL sees none", Hint: CodeMismatch}
	}
	if seen != chosen {
		return &Error{Endpoint: chosen, Why: "was chosen, but MSAL sees the one of " + string(seen), Hint: CodeMismatch}
	}
	return nil
}

// address is where the environment says that an endpoint is. That it is plain
// HTTP is so with all but Service Fabric's.
func (c Client) address(e identity.Endpoint) (*url.URL, error) {
	name, value := "", ""
	switch e {
	case identity.IMDS:
		value = imdsAddress
	case identity.Arc:
		if name, value = "IDENTITY_ENDPOINT", c.Getenv("IDENTITY_ENDPOINT"); value == "" {
			value = arcAddress
		}
	case identity.AppService, identity.ServiceFabric:
		name, value = "IDENTITY_ENDPOINT", c.Getenv("IDENTITY_ENDPOINT")
	case identity.MachineLearn, identity.CloudShell:
		name, value = "MSI_ENDPOINT", c.Getenv("MSI_ENDPOINT")
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &Error{Endpoint: e, Why: "is not at a URL: " + name + " is none", Hint: CodeVariable}
	}
	if e == identity.ServiceFabric {
		if u.Scheme != "https" {
			return nil, &Error{Endpoint: e, Why: "must use https, which " + name + " doesn't", Hint: CodeVariable}
		}
		if !isThumbprint(c.Getenv("IDENTITY_SERVER_THUMBPRINT")) {
			return nil, &Error{Endpoint: e, Why: "can't be told from others: IDENTITY_SERVER_THUMBPRINT is no SHA-1 thumbprint", Hint: CodeVariable}
		}
	}
	return u, nil
}

// isThumbprint takes colons and spaces, as MSAL does.
func isThumbprint(s string) bool {
	sum, err := hex.DecodeString(strings.NewReplacer(":", "", " ", "").Replace(s))
	return err == nil && len(sum) == 20
}
