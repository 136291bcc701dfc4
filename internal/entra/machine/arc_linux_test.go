package machine

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestArcKeyFile has a key that isn't for everybody, or isn't there.
func TestArcKeyFile(t *testing.T) {
	s := newStage(t)
	challenge := func(realm string) azuretest.Fault {
		return azuretest.Fault{Status: 401, Header: map[string][]string{"Www-Authenticate": {"Basic realm=" + realm}}, Body: `{"error":"unauthorized"}`}
	}
	dir, _ := keyDir("linux", nil)
	for _, row := range []struct {
		what, realm, content string
		code, says           string
	}{
		{"another directory", "/etc/passwd.key", "", CodeOther, "not in " + dir},
		{"a way out", dir + "/../../../etc/x.key", "", CodeOther, "not in " + dir},
		{"another kind of file", dir + "/x.txt", "", CodeOther, "not in " + dir},
		{"no file", dir + "/gone.key", "", CodeKeyFile, "can't be read"},
		{"a long file", dir + "/long.key", strings.Repeat("x", 5000), CodeKeyFile, "too long"},
		{"a wrong key", dir + "/wrong.key", "wr0ng", CodeOther, "status 401"},
	} {
		t.Run(row.what, func(t *testing.T) {
			s.enter(t).hosts(identity.Arc)
			if row.content != "" {
				if err := os.WriteFile(row.realm, []byte(row.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			fault := challenge(row.realm)
			fault.Times = 1
			s.Fault("127.0.0.1", "", fault)
			_, err := s.client().Token(t.Context(), s.chosen(identity.Arc, "own"), registry.Audience)
			if code(err) != row.code || !strings.Contains(err.Error(), row.says) || strings.Contains(err.Error(), "wr0ng") {
				t.Errorf("%q: %v", code(err), err)
			}
		})
	}
}

// TestArcForMembersOnly is about a user outside of the agent's group: root gives
// its rights over files away, on this thread.
func TestArcForMembersOnly(t *testing.T) {
	s := newStage(t).enter(t)
	s.hosts(identity.Arc)
	dir, _ := keyDir("linux", nil)
	if err := os.Chmod(filepath.Clean(dir), 0o750); err != nil {
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
	_, err := s.client().Token(t.Context(), s.chosen(identity.Arc, "own"), registry.Audience)
	unix.Setfsuid(0)
	unix.Setfsgid(0)
	if code(err) != CodeKeyFile || !strings.Contains(err.Error(), "group himds") {
		t.Errorf("%q: %v", code(err), err)
	}
}

// TestArcConfirmsTheIdentity: an agent too old for user-assigned identities
// answers with the machine's own, and doesn't say so.
func TestArcConfirmsTheIdentity(t *testing.T) {
	s := newStage(t).enter(t)
	s.hosts(identity.Arc)
	s.Fault("127.0.0.1", "", azuretest.Fault{Mutate: func(body []byte) []byte {
		return []byte(strings.ReplaceAll(string(body), `"client_id"`, `"client"`))
	}})
	_, err := s.client().Token(t.Context(), s.chosen(identity.Arc, "client"), registry.Audience)
	if code(err) != CodeNoIdentity || !strings.Contains(err.Error(), s.user.ClientID()) {
		t.Errorf("%q: %v", code(err), err)
	}
}
