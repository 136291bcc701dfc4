package clientcredential

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// maxRoots limits a file of root certificates; a whole system's has 200 KB.
const maxRoots = 1 << 20

// proxyIdle is how long connections to a token proxy stay open: each sign-in has its own,
// which no other one uses.
const proxyIdle = 10 * time.Second

// transport returns what carries requests to the cloud's authority; in an AKS cluster
// with identity bindings, the cluster's proxy gets everything that is meant for the
// authority. The proxy's root certificates are read each time, because the cluster
// replaces them. It follows azidentity's WorkloadIdentityCredential with EnableAzureProxy
// (its package customtokenproxy): OpenID documents go to the proxy too, paths stay below
// the proxy's own, and the Host header still names the authority.
func (c Client) transport(id identity.Identity) (http.RoundTripper, error) {
	if id.Federation == nil || id.Federation.Proxy.URL == "" {
		return c.Transport, nil
	}
	p := id.Federation.Proxy
	u, ok := parseHTTPS(p.URL)
	if !ok || u.RawQuery != "" || u.ForceQuery {
		return nil, fault.New(fault.TokenProxy, "AZURE_KUBERNETES_TOKEN_PROXY must be an https URL with host and path only")
	}
	if u.EscapedPath() == "" {
		u.Path = "/" // else JoinPath makes a relative path
	}
	roots, err := proxyRoots(p)
	if err != nil {
		return nil, err
	}
	base, ok := c.Transport.(*http.Transport)
	if !ok {
		return nil, fault.New(fault.TokenProxy, "a token proxy can't be reached through a custom transport")
	}
	base = base.Clone()
	base.IdleConnTimeout = proxyIdle
	if p.Direct {
		base.Proxy = nil
	}
	base.TLSClientConfig = cmp.Or(base.TLSClientConfig, &tls.Config{})
	base.TLSClientConfig.ServerName = p.ServerName
	base.TLSClientConfig.RootCAs = cmp.Or(roots, base.TLSClientConfig.RootCAs)
	return &proxyTransport{base, u}, nil
}

// proxyRoots returns the certificates to trust instead of the system's; nil for those.
func proxyRoots(p identity.TokenProxy) (*x509.CertPool, error) {
	pem, from := p.CAData, "AZURE_KUBERNETES_CA_DATA"
	switch {
	case p.CAFile != "" && p.CAData != "":
		return nil, fault.New(fault.TokenProxy,
			"AZURE_KUBERNETES_CA_FILE and AZURE_KUBERNETES_CA_DATA are both set; set only one")
	case p.CAFile == "" && p.CAData == "":
		return nil, nil
	case p.CAFile != "":
		var err error
		if pem, err = readText(p.CAFile, maxRoots); err != nil {
			return nil, fault.New(fault.TokenProxy, "the token proxy's root certificates: %v", err)
		}
		from = p.CAFile
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fault.New(fault.TokenProxy, "%s has no certificate in PEM", from)
	}
	return pool, nil
}

// A proxyTransport sends to a proxy what is addressed to an authority.
type proxyTransport struct {
	base  *http.Transport
	proxy *url.URL
}

// RoundTrip names the proxy in errors of the connection.
func (t *proxyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := req.Clone(req.Context())
	sent.Host = req.URL.Host
	sent.URL = t.proxy.JoinPath(req.URL.EscapedPath())
	sent.URL.RawQuery = req.URL.RawQuery
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, httpguard.Explain(t.proxy.Host, err)
	}
	return resp, nil
}
