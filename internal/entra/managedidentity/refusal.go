package managedidentity

import (
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// The words by which endpoints refuse: those of IMDS, App Service (today's and older
// ones) and Service Fabric.
const (
	severalWords = `(?i)multiple user.assigned identities`
	noneWords    = `(?i)identity ?not ?found|no [a-z ]*(managed identity|msi) found|` +
		`unable to load the proper managed identity`
)

// refusal is the error for an endpoint's refusal. Only an AADSTS number of the body is
// used.
func refusal(id identity.Identity, resp *http.Response, body []byte) error {
	code, reason := fault.EndpointOther, "refused the request"
	switch status := resp.StatusCode; {
	case status == http.StatusTooManyRequests:
		code, reason = fault.EndpointThrottled, "is throttling requests"
	case status >= 500, id.Endpoint == identity.IMDS && (status == http.StatusNotFound || status == http.StatusGone):
		code, reason = fault.EndpointUnavailable, "is being updated or temporarily unavailable"
	case regexp.MustCompile(severalWords).Match(body):
		code, reason = fault.SeveralIdentities, "has several managed identities; select one"
	case regexp.MustCompile(noneWords).Match(body):
		code, reason = fault.NoManagedIdentity, "has no managed identity"+withID(id)
	default:
		if number := authority.FindAADSTS(string(body)); number != 0 { // Entra's own refusal, passed on
			return authority.Refusal{AADSTS: number, Status: resp.StatusCode}.Fault()
		}
	}
	e := fail(id.Endpoint, code, reason)
	e.Status, e.RetryAfter = resp.StatusCode, httpguard.RetryAfter(resp)
	return e
}

// withID names the identity that was asked for; "" for the computer's only one.
func withID(id identity.Identity) string {
	switch {
	case id.ClientID != "":
		return " with client ID " + id.ClientID
	case id.ObjectID != "":
		return " with object ID " + id.ObjectID
	case id.ResourceID != "":
		return " with resource ID " + id.ResourceID
	}
	return ""
}

// isChallenge recognizes Azure Arc's way to check the caller: a 401 that names a file
// which only members of a group can read. MSAL answers it, after it has checked that the
// file is where the agent puts it.
func (c *endpointClient) isChallenge(req *http.Request, resp *http.Response) bool {
	c.challenged = req.Header.Get("Authorization") != ""
	if c.id.Endpoint != identity.Arc || resp.StatusCode != http.StatusUnauthorized || c.challenged {
		return false
	}
	_, path, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), "Basic realm=")
	c.keyPath = cmp.Or(path, "none")
	return true
}

// explainChallenge says why MSAL gave up after a challenge. It opens no file but one in
// the agent's own directory, whatever the challenge names.
func (c *endpointClient) explainChallenge() error {
	if c.challenged { // an agent too old to know user-assigned identities answers with the computer's own
		return fail(c.id.Endpoint, fault.NoManagedIdentity, "returned another managed identity than the one"+withID(c.id))
	}
	dir, group := arcKeyDir(runtime.GOOS, c.Getenv)
	name := filepath.Base(c.keyPath)
	switch {
	case dir == "":
		return fail(c.id.Endpoint, fault.ArcKeyFile, "can be used on Linux and Windows only")
	case filepath.Join(dir, name) != c.keyPath || filepath.Ext(name) != ".key":
		return fail(c.id.Endpoint, fault.EndpointOther, "sent a key file that is not in "+dir)
	}
	f, err := os.Open(c.keyPath)
	switch {
	case err == nil:
		f.Close()
		return fail(c.id.Endpoint, fault.ArcKeyFile, "has a key file that is too long")
	case errors.Is(err, fs.ErrPermission):
		return fail(c.id.Endpoint, fault.ArcKeyFile,
			"has a key file that this user can't read (only members of the group "+group+" can)")
	}
	return fail(c.id.Endpoint, fault.ArcKeyFile, "has a key file that can't be read")
}

// arcKeyDir returns where Azure Arc's agent puts its keys, and the group that may read
// them; "" for nowhere. (Microsoft Learn, "Authenticate against Azure resources with
// Azure Arc-enabled servers".)
func arcKeyDir(system string, getenv func(string) string) (dir, group string) {
	switch system {
	case "linux":
		return "/var/opt/azcmagent/tokens", "himds"
	case "windows":
		if data := getenv("ProgramData"); data != "" {
			return filepath.Join(data, "AzureConnectedMachineAgent", "Tokens"), "Hybrid agent extension applications"
		}
	}
	return "", ""
}
