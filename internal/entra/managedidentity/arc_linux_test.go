package managedidentity

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestClient_AccessToken_explains_the_challenge_of_Azure_Arc has keys that MSAL refuses or can't read.
func TestClient_AccessToken_explains_the_challenge_of_Azure_Arc(t *testing.T) {
	dir, _ := arcKeyDir("linux", nil)
	for _, row := range []struct {
		what, path, content string
		code                fault.Code
		says                string
	}{
		{"another directory", "/etc/passwd.key", "", fault.EndpointOther, "not in " + dir},
		{"a way out", dir + "/../../../etc/x.key", "", fault.EndpointOther, "not in " + dir},
		{"another kind of file", dir + "/x.txt", "", fault.EndpointOther, "not in " + dir},
		{"no file", dir + "/gone.key", "", fault.ArcKeyFile, "can't be read"},
		{"a long file", dir + "/long.key", strings.Repeat("x", 5000), fault.ArcKeyFile, "too long"},
		{"a wrong key", dir + "/wrong.key", "wr0ng", fault.EndpointOther, "HTTP 401"},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t, identity.Arc)
			if row.content != "" {
				if err := os.WriteFile(row.path, []byte(row.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f.Fault("127.0.0.1", "", azuretest.Fault{
				Status: 401, Header: map[string][]string{"Www-Authenticate": {"Basic realm=" + row.path}},
				Body: `{"error":"unauthorized"}`, Times: 1,
			})
			_, err := f.client().AccessToken(t.Context(), f.identity(identity.Arc, "none"), registry.Audience)
			if !fault.Is(err, row.code) || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("%q: %v", fault.CodeOf(err), err)
			}
		})
	}
}

// TestClient_AccessToken_outside_the_group_of_Azure_Arc runs as a user who can't read the key: root gives up its rights
// to files, on this thread.
func TestClient_AccessToken_outside_the_group_of_Azure_Arc(t *testing.T) {
	f := newFixture(t, identity.Arc)
	dir, _ := arcKeyDir("linux", nil)
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(64999); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setfsgid(64999); err != nil {
		t.Fatal(err)
	}
	_, err := f.client().AccessToken(t.Context(), f.identity(identity.Arc, "none"), registry.Audience)
	unix.Setfsuid(0)
	unix.Setfsgid(0)
	if !fault.Is(err, fault.ArcKeyFile) || !strings.Contains(err.Error(), "group himds") {
		t.Errorf("%q: %v", fault.CodeOf(err), err)
	}
}

// TestClient_AccessToken_checks_the_identity_of_Azure_Arc: an agent that is too old for user-assigned identities
// answers with the computer's own, and doesn't say so.
func TestClient_AccessToken_checks_the_identity_of_Azure_Arc(t *testing.T) {
	f := newFixture(t, identity.Arc)
	f.Fault("127.0.0.1", "", azuretest.Fault{Mutate: func(body []byte) []byte {
		return []byte(strings.ReplaceAll(string(body), `"client_id"`, `"client"`))
	}})
	_, err := f.client().AccessToken(t.Context(), f.identity(identity.Arc, "client"), registry.Audience)
	if !fault.Is(err, fault.NoManagedIdentity) || !strings.Contains(err.Error(), f.user.ClientID()) {
		t.Errorf("%q: %v", fault.CodeOf(err), err)
	}
}
