package azuretest

import "net/http"

// A front is a host beside Entra and the registries: an issuer of a CI system, or
// a cluster's token proxy.
type front struct {
	kind  string // what its requests count as
	serve http.HandlerFunc
	// byServerName says that TLS decides who is asked, whatever the Host header
	// says, as behind a load balancer.
	byServerName bool
}

func (c *Cloud) addFront(host string, f *front) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fronts[host] = f
}

// frontAt is the front that a host name belongs to, or nil.
func (c *Cloud) frontAt(host string) *front {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fronts[host]
}

// frontOf is the front that a request is for, or nil.
func (c *Cloud) frontOf(r *http.Request) *front {
	if r.TLS != nil {
		if f := c.frontAt(r.TLS.ServerName); f != nil && f.byServerName {
			return f
		}
	}
	return c.frontAt(hostname(r.Host))
}
