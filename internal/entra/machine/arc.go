package machine

import (
	"cmp"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// isChallenge recognises Azure Arc's way to see who asks: a 401 that names a file
// which only members of a group can read. MSAL follows it, after it has checked
// that the file is where the agent puts it.
func (m *messenger) isChallenge(req *http.Request, resp *http.Response) bool {
	m.keyed = req.Header.Get("Authorization") != ""
	if m.id.Endpoint != identity.Arc || resp.StatusCode != http.StatusUnauthorized || m.keyed {
		return false
	}
	_, realm, _ := strings.Cut(resp.Header.Get("WWW-Authenticate"), "Basic realm=")
	m.realm = cmp.Or(realm, "none")
	return true
}

// keyTrouble says why MSAL gave up after a challenge. It opens no file but one in
// the agent's own directory, wherever the challenge points.
func (m *messenger) keyTrouble() error {
	e := &Error{Endpoint: m.id.Endpoint, Hint: CodeKeyFile}
	if m.keyed {
		// An agent too old to know user-assigned identities answers with the
		// machine's own.
		e.Why, e.Hint = "did not answer with the managed identity"+withID(m.id), CodeNoIdentity
		return e
	}
	dir, group := keyDir(runtime.GOOS, m.getenv)
	if dir == "" {
		e.Why = "can be used on Linux and Windows only"
		return e
	}
	name := filepath.Base(m.realm)
	if filepath.Join(dir, name) != m.realm || filepath.Ext(name) != ".key" {
		e.Why, e.Hint = "pointed to a key that is not in "+dir, CodeOther
		return e
	}
	f, err := os.Open(m.realm)
	switch {
	case err == nil:
		f.Close()
		e.Why = "pointed to a key that is too long"
	case errors.Is(err, fs.ErrPermission):
		e.Why = "keeps its key from this user, who is not in the group " + group
	default:
		e.Why = "pointed to a key that can't be read"
	}
	return e
}

// keyDir is where Azure Arc's agent puts its keys, and the group that may read
// them. (Microsoft Learn, "Authenticate against Azure resources with Azure
// Arc-enabled servers".)
func keyDir(system string, getenv func(string) string) (dir, group string) {
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
