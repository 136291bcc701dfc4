package azuretest

import (
	"slices"
	"strings"
	"sync"
)

// A canarySet holds all secrets, which must not appear where they don't belong.
type canarySet struct {
	mu    sync.Mutex
	seen  map[string]bool
	order []string
}

// add adds secrets. The payload and the signature of a JWT are added separately too, so that a truncated token is
// found.
func (s *canarySet) add(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	for _, secret := range secrets {
		s.put(secret)
		if parts := strings.Split(secret, "."); len(parts) == 3 && strings.HasPrefix(secret, "ey") {
			s.put(parts[1])
			s.put(parts[2])
		}
	}
}

// put keeps the order, so that find returns the same secret each time.
func (s *canarySet) put(secret string) {
	if secret != "" && !s.seen[secret] {
		s.seen[secret] = true
		s.order = append(s.order, secret)
	}
}

// find returns the first secret that one of the texts contains, or "".
func (s *canarySet) find(texts ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.order {
		for _, text := range texts {
			if strings.Contains(text, secret) {
				return secret
			}
		}
	}
	return ""
}

// Canaries returns all secrets, passwords and tokens that were registered or issued here, and the payload and
// signature of each JWT. No output of a program under test may contain one, except the credential it was asked for.
func (c *Cloud) Canaries() []string {
	c.canaries.mu.Lock()
	defer c.canaries.mu.Unlock()
	return slices.Clone(c.canaries.order)
}

// FindCanary returns the first of Canaries that text contains, or "".
func (c *Cloud) FindCanary(text string) string { return c.canaries.find(text) }

// Leaks returns the requests with a canary to a host that this cloud doesn't serve, or over plain HTTP. The secret of
// a managed identity endpoint in a request to that endpoint is not a leak.
func (c *Cloud) Leaks() []Request {
	leaks := []Request{}
	for _, r := range c.Requests() {
		if r.Kind != KindForeign && r.Scheme != "http" {
			continue
		}
		if rest := c.withoutOwnSecret(r); c.canaries.find(rest.texts()...) != "" {
			leaks = append(leaks, r)
		}
	}
	return leaks
}
