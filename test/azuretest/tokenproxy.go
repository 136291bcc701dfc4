package azuretest

import (
	"context"
	"net/http"
)

// A TokenProxy replaces Entra's token endpoint in an AKS cluster with identity bindings (Microsoft Learn, "Identity
// bindings concepts"). It has the API server's address, its own TLS server name, and a certificate of the cluster's
// CA.
type TokenProxy struct {
	cloud            *Cloud
	host, serverName string
	certs            *certificates
}

// proxyKey is the context key of the TokenProxy of a request.
type proxyKey struct{}

// AddTokenProxy adds a cluster's token proxy.
func (c *Cloud) AddTokenProxy() *TokenProxy {
	certs := newCertificates(c.noteServerName)
	id := newGUID()[:8]
	p := &TokenProxy{
		cloud: c, certs: certs,
		host:       "cluster-" + id + ".hcp.westeurope.azmk8s.io",
		serverName: id + ".identitybinding.azmk8s.io",
	}
	c.certs.useRoot(p.host, certs)
	c.certs.useRoot(p.serverName, certs)
	c.addHost(p.host, &extraHost{kind: KindTokenProxy, serve: apiServer, byServerName: true})
	c.addHost(p.serverName, &extraHost{kind: KindTokenProxy, serve: p.serve, byServerName: true})
	return p
}

// URL returns AZURE_KUBERNETES_TOKEN_PROXY.
func (p *TokenProxy) URL() string { return "https://" + p.host }

// ServerName returns AZURE_KUBERNETES_SNI_NAME.
func (p *TokenProxy) ServerName() string { return p.serverName }

// CAPEM returns the content of AZURE_KUBERNETES_CA_FILE: the cluster's root certificate, which isn't the cloud's.
func (p *TokenProxy) CAPEM() []byte { return p.certs.pem() }

// Bind lets a service account of the cluster sign in as an application, through this proxy only, with tokens for the
// audience IdentityBinding.
func (p *TokenProxy) Bind(app *ServicePrincipal, issuer *Issuer, subject string) {
	app.trust(federatedCredential{issuer: issuer.url, subject: subject, audience: IdentityBinding, proxy: p})
}

// serve passes a request to the authority in the Host header, which azidentity sets, or else to the public cloud's.
func (p *TokenProxy) serve(w http.ResponseWriter, r *http.Request) {
	host := hostname(r.Host)
	a, ok := authorityOf(host)
	if !ok {
		host = DefaultAuthority
		a, _ = authorityOf(host)
	}
	// azidentity sends instance discovery through the proxy too, and the fake proxy of its tests serves it.
	switch entraKind(r.URL.Path) {
	case KindEntraToken, KindOpenID, KindDiscovery:
	default:
		http.NotFound(w, r)
		return
	}
	p.cloud.serveEntra(w, r.WithContext(context.WithValue(r.Context(), proxyKey{}, p)), a, host)
}

// apiServer responds to requests without the proxy's server name.
func apiServer(w http.ResponseWriter, r *http.Request) {
	note(r, "the TLS server name is the API server's, not the token proxy's")
	writeJSON(w, http.StatusUnauthorized, map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401,
	})
}
