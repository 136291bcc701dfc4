package azuretest

import (
	"strings"
	"sync"
)

// A canarySet holds everything that must never show up where it doesn't belong.
type canarySet struct {
	mu    sync.Mutex
	seen  map[string]bool
	order []string
}

// add registers secrets. Of a JWT the payload and the signature count by
// themselves too, so that a shortened token is still found.
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

// put keeps the order, so that a report names the same secret each time.
func (s *canarySet) put(secret string) {
	if secret != "" && !s.seen[secret] {
		s.seen[secret] = true
		s.order = append(s.order, secret)
	}
}

// found returns the first secret that one of the texts holds, or "".
func (s *canarySet) found(texts ...string) string {
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

// Canaries returns every secret, password and token ever registered or minted
// here, and the payload and signature of each JWT alone. No output of a program
// under test, other than the answer it was asked for, may contain one.
func (c *Cloud) Canaries() []string {
	c.canaries.mu.Lock()
	defer c.canaries.mu.Unlock()
	return append([]string{}, c.canaries.order...)
}

// FindCanary returns the first of Canaries that text contains, or "" when text
// gives nothing away.
func (c *Cloud) FindCanary(text string) string { return c.canaries.found(text) }

// Leaks returns the requests that carried a canary to a host which this cloud
// doesn't serve, or over plain HTTP (less the secret of a machine's endpoint on
// its way there). After a correct run it is empty.
func (c *Cloud) Leaks() []Request {
	leaks := []Request{}
	for _, r := range c.Requests() {
		if r.Kind != KindForeign && r.Scheme != "http" {
			continue
		}
		if less := c.ownSecret(r); c.canaries.found(less.texts()...) != "" {
			leaks = append(leaks, r)
		}
	}
	return leaks
}
