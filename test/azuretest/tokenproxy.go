package azuretest

import (
	"context"
	"net/http"
)

// A TokenProxy stands in for Entra's token endpoint inside of an AKS cluster with
// identity bindings (Microsoft Learn, "Identity bindings concepts"): the API
// server's address, reached under a server name of its own, with a certificate of
// the cluster's authority.
type TokenProxy struct {
	cloud            *Cloud
	host, serverName string
	certs            *certificates
}

// proxyKey is the context key of the proxy that a request came through.
type proxyKey struct{}

// AddTokenProxy adds a cluster's proxy. It panics when there is no entropy for a
// root certificate.
func (c *Cloud) AddTokenProxy() *TokenProxy {
	certs, err := newCertificates(c.noteServerName)
	if err != nil {
		panic("azuretest: making a cluster's certificates: " + err.Error())
	}
	id := newGUID()[:8]
	p := &TokenProxy{cloud: c, host: "cluster-" + id + ".hcp.westeurope.azmk8s.io", serverName: id + ".identitybinding.azmk8s.io", certs: certs}
	c.certs.setApart(p.host, certs)
	c.certs.setApart(p.serverName, certs)
	c.addFront(p.host, &front{kind: KindTokenProxy, serve: apiServer, byServerName: true})
	c.addFront(p.serverName, &front{kind: KindTokenProxy, serve: p.serve, byServerName: true})
	return p
}

// URL is AZURE_KUBERNETES_TOKEN_PROXY.
func (p *TokenProxy) URL() string { return "https://" + p.host }

// ServerName is AZURE_KUBERNETES_SNI_NAME.
func (p *TokenProxy) ServerName() string { return p.serverName }

// CAPEM is the cluster's root certificate, the content of
// AZURE_KUBERNETES_CA_FILE. The cloud's own root doesn't vouch for the proxy.
func (p *TokenProxy) CAPEM() []byte { return p.certs.pem() }

// Bind lets a service account of the cluster be an application, through this proxy
// only. Its tokens are made for the audience IdentityBinding.
func (p *TokenProxy) Bind(app *ServicePrincipal, issuer *Issuer, subject string) {
	app.trust(federatedCredential{issuer: issuer.url, subject: subject, audience: IdentityBinding, via: p})
}

// serve hands a request on to Entra: to the authority that the Host header names,
// as azidentity keeps it, or else to the public one.
func (p *TokenProxy) serve(w http.ResponseWriter, r *http.Request) {
	host := hostname(r.Host)
	a, ok := authorityOf(host)
	if !ok {
		host = DefaultAuthority
		a, _ = authorityOf(host)
	}
	// Instance discovery too: azidentity sends all that it asks Entra through the
	// proxy, and its tests' own stand-in for one answers that.
	switch entraKind(r.URL.Path) {
	case KindEntraToken, KindOpenID, KindDiscovery:
	default:
		http.NotFound(w, r)
		return
	}
	p.cloud.serveEntra(w, r.WithContext(context.WithValue(r.Context(), proxyKey{}, p)), a, host)
}

// apiServer is who answers without the proxy's server name.
func apiServer(w http.ResponseWriter, r *http.Request) {
	note(r, "the API server was asked, because the server name is not the token proxy's")
	writeJSON(w, http.StatusUnauthorized, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401})
}
