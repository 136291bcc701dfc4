package e2e

import (
	"strings"
	"sync"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// What the program says about a wrong secret. The first part is all that a
// client shows that prints the helper's standard output.
const (
	wrongSecret = host + ": signing in as service principal " + clientID + ": the client secret is wrong (AADSTS7000215, "
	secretHint  = "; hint: check AZURE_CLIENT_SECRET"
)

// Whoever can't sign in is told why and what to do, by every client in its own
// way; and however often the client asks, Entra is asked once.
func TestWrongSecret(t *testing.T) {
	eachClient(t, func(t *testing.T, s *stage, c client) {
		s.signIn("wrong~secret")
		for _, lines := range []string{c.pull, c.bare} {
			if lines == "" {
				continue
			}
			out, err := s.try(lines, app, "", "")
			if err == nil {
				t.Errorf("%s succeeded with a wrong secret", lines)
			}
			for _, want := range c.phrases() {
				if !strings.Contains(out, want) {
					t.Errorf("%s does not say %q:\n%s", lines, want, out)
				}
			}
		}
		if got := s.cloud.Seen(azuretest.KindEntraToken); got != 1 {
			t.Errorf("Entra was asked %d times", got)
		}
	})
}

// phrases are what a client must show of a wrong secret: the line on standard
// error, and the client's own error with what it read from standard output.
func (c client) phrases() []string {
	phrases := []string{program + ": " + wrongSecret, secretHint}
	if c.shows == "stdout" {
		phrases = append(phrases, "error getting credentials - err: exit status 1, out: `"+wrongSecret)
	}
	return phrases
}

// Where nobody is signed in, clients go on without: a registry open to everybody
// is pulled from, another one refuses by itself.
func TestAnonymousPull(t *testing.T) {
	eachClient(t, func(t *testing.T, s *stage, c client) {
		s.refused(c, app)
		s.registry.AnonymousPull(true)
		s.pull(c, app)
		s.exchanges(0)
	})
}

// crowd is how many clients a crowd has, as docker compose pull would start.
const crowd = 6

// Clients that miss at the same moment cost one sign-in and one exchange.
func TestCrowd(t *testing.T) {
	eachClient(t, func(t *testing.T, s *stage, c client) {
		s.signIn(clientSecret)
		s.crowd(c)
		s.exchanges(1)
	})
	t.Run("mixed", func(t *testing.T) {
		t.Parallel()
		s := newStage(t)
		s.configure(dockerConfig)
		s.signIn(clientSecret)
		for _, c := range clients {
			need(t, c.name)
		}
		s.crowd(clients...)
		s.exchanges(1)
	})
}

// crowd pulls six times at once, the clients taking turns.
func (s *stage) crowd(clients ...client) {
	s.t.Helper()
	var all sync.WaitGroup
	for i := range crowd {
		c := clients[i%len(clients)]
		all.Go(func() {
			if out, err := s.try(c.pull, app, "", ""); err != nil {
				s.t.Errorf("%s: %v\n%s", c.pull, err, out)
			}
		})
	}
	all.Wait()
}
