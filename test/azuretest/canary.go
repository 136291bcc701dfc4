package azuretest

import (
	"slices"
	"strings"
	"sync"
)

// A canarySet holds all secrets, which must not appear where they don't belong.
type canarySet struct {
	mu      sync.Mutex
	secrets []string
}

// add adds secrets. The payload and the signature of a JWT are added separately too, so that a truncated token is
// found.
func (s *canarySet) add(secrets ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range secrets {
		if secret == "" {
			continue // every text contains it
		}
		s.secrets = append(s.secrets, secret)
		if parts := strings.Split(secret, "."); len(parts) == 3 && strings.HasPrefix(secret, "ey") {
			s.secrets = append(s.secrets, parts[1:]...)
		}
	}
}

// find returns the first secret that one of the texts contains, or "".
func (s *canarySet) find(texts ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, secret := range s.secrets {
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
	return slices.Clone(c.canaries.secrets)
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
