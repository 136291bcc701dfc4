package script

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// fakeBrowser plays xdg-open: it notes the address, for the script to open.
func fakeBrowser() {
	f := open(opened(os.Getenv("HOME")))
	defer f.Close()
	_, _ = f.WriteString(os.Args[len(os.Args)-1] + "\n")
}

func opened(home string) string { return filepath.Join(home, "opened") }

// user returns a user of the script's tenant, who may pull.
func (s *fixture) user(upn string) *azuretest.User {
	if s.users[upn] == nil {
		s.users[upn] = s.tenant.AddUser(upn)
		s.registry.Grant(s.users[upn], azuretest.AcrPull)
	}
	return s.users[upn]
}

// await looks until there is something to see.
func await(ts *testscript.TestScript, what string, look func() (string, bool)) (found string) {
	eventually(ts, what+" never came", func() (ok bool) {
		found, ok = look()
		return ok
	})
	return found
}

// userChanges are changes that users and their administrators make.
var userChanges = map[string]change{
	"browse": func(ts *testscript.TestScript, s *fixture, a []string) {
		note := opened(ts.Getenv("HOME"))
		address := await(ts, "the browser", func() (string, bool) {
			content, _ := os.ReadFile(note)
			address, rest, ok := strings.Cut(string(content), "\n")
			// On Windows it can't be removed while the browser has it open.
			return address, ok && rest == "" && os.Remove(note) == nil
		})
		_, err := s.cloud.Browse(address, s.user(a[0]))
		ts.Check(err)
	},
	"approve": func(ts *testscript.TestScript, s *fixture, a []string) {
		code := await(ts, "a device code", func() (string, bool) {
			codes := s.cloud.DeviceCodes()
			return strings.Join(codes, ""), len(codes) == 1
		})
		does := azuretest.SignIn
		if len(a) > 1 {
			does = azuretest.PageAction(a[1])
		}
		ts.Check(s.cloud.EnterCode(code, s.user(a[0]), does))
	},
	"poll": func(ts *testscript.TestScript, s *fixture, a []string) {
		d, err := time.ParseDuration(a[0])
		ts.Check(err)
		s.cloud.PollInterval(d)
	},
	"revoke-sessions": func(_ *testscript.TestScript, s *fixture, a []string) { s.user(a[0]).RevokeSessions() },
	"revoke-role":     func(_ *testscript.TestScript, s *fixture, a []string) { s.registry.Revoke(s.user(a[0])) },
	"step-up":         func(_ *testscript.TestScript, s *fixture, _ []string) { s.tenant.StepUp() },
	"public-client":   func(_ *testscript.TestScript, s *fixture, a []string) { s.tenant.AddPublicClient(a[0]) },
	"block": func(ts *testscript.TestScript, s *fixture, a []string) {
		code, err := strconv.Atoi(a[0])
		ts.Check(err)
		s.tenant.Block(code)
	},
	"guest": func(ts *testscript.TestScript, s *fixture, a []string) {
		other := s.cloud.AddTenant("")
		s.cloud.AddRegistry(a[1], other).Grant(other.Invite(s.user(a[0])), azuretest.AcrPull)
		ts.Setenv("GUEST_TENANT", other.ID())
	},
}
