package azuretest

import "net/http"

// An extraHost is a host besides Entra and the registries: the token issuer of a CI system, or a cluster's token
// proxy.
type extraHost struct {
	kind  string // of its requests: one of the Kind constants
	serve http.HandlerFunc
	// byServerName selects this host by the TLS server name, whatever the Host header says, as a load balancer does.
	byServerName bool
}

func (c *Cloud) addHost(name string, h *extraHost) { c.locked(func() { c.extraHosts[name] = h }) }

// extraHost returns the extra host of this name, or nil.
func (c *Cloud) extraHost(name string) *extraHost {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extraHosts[name]
}

// extraHostFor returns the extra host that a request is for, or nil.
func (c *Cloud) extraHostFor(r *http.Request) *extraHost {
	if r.TLS != nil {
		if h := c.extraHost(r.TLS.ServerName); h != nil && h.byServerName {
			return h
		}
	}
	return c.extraHost(hostname(r.Host))
}
