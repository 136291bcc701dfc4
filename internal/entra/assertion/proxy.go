package assertion

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// maxRoots bounds a file of root certificates; a whole system's has 200 KB.
const maxRoots = 1 << 20

// HTTP is the client that MSAL has to use for an identity. It reaches the cloud's
// authority and nobody else; in an AKS cluster with identity bindings, the
// cluster's proxy takes all that is meant for the authority. The proxy's root
// certificates are read anew with each call, because the cluster replaces them.
func (c Client) HTTP(id identity.Identity, cloud registry.Cloud) (*authority.Client, error) {
	if id.Federation == nil || id.Federation.Proxy.URL == "" {
		return authority.NewClient(c.Transport, cloud.Authority, c.Log), nil
	}
	proxied, err := c.proxied(id.Federation.Proxy)
	if err != nil {
		return nil, err
	}
	return authority.NewClient(proxied, cloud.Authority, c.Log), nil
}

// proxied follows azidentity's WorkloadIdentityCredential with EnableAzureProxy
// (its package customtokenproxy): OpenID documents go to the proxy too, paths are
// kept below the proxy's own, and the Host header still names the authority.
func (c Client) proxied(p identity.TokenProxy) (http.RoundTripper, error) {
	u, err := url.Parse(p.URL)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, misconfigured("the token proxy's address is not https, or has more than host and path")
	}
	if u.EscapedPath() == "" {
		u.Path = "/" // else JoinPath makes a relative path
	}
	roots, err := rootsOf(p)
	if err != nil {
		return nil, err
	}
	base, ok := c.Transport.(*http.Transport)
	if !ok {
		return nil, misconfigured("a token proxy can't be reached through a transport of one's own")
	}
	base = base.Clone()
	if base.TLSClientConfig == nil {
		base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	base.TLSClientConfig.ServerName = p.ServerName
	if roots != nil {
		base.TLSClientConfig.RootCAs = roots
	}
	base.IdleConnTimeout = 10 * time.Second // nobody comes back for them: each sign-in has its own
	return &proxyTransport{base, u}, nil
}

func misconfigured(why string) *Error { return &Error{why: why, code: CodeProxy} }

// rootsOf are the certificates to trust in place of the system's; nil for those.
func rootsOf(p identity.TokenProxy) (*x509.CertPool, error) {
	content, from := p.CAData, "AZURE_KUBERNETES_CA_DATA"
	switch {
	case p.CAFile != "" && p.CAData != "":
		return nil, misconfigured("the token proxy's root certificates are given twice, as a file and as data")
	case p.CAFile != "":
		var err error
		if content, err = readSmall(p.CAFile, maxRoots); err != nil {
			return nil, &Error{why: "the token proxy's root certificates: " + err.Error(), code: CodeProxy}
		}
		from = p.CAFile
	case p.CAData == "":
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(content)) {
		return nil, misconfigured(from + " holds no certificate in PEM")
	}
	return pool, nil
}

// A proxyTransport sends to a proxy what is addressed to an authority.
type proxyTransport struct {
	base  *http.Transport
	proxy *url.URL
}

// RoundTrip names the proxy in what goes wrong on the way.
func (t *proxyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	sent := req.Clone(req.Context())
	sent.Host = req.URL.Host
	sent.URL = t.proxy.JoinPath(req.URL.EscapedPath())
	sent.URL.RawQuery = req.URL.RawQuery
	resp, err := t.base.RoundTrip(sent)
	if err != nil {
		return nil, guard.Explain(t.proxy.Host, err)
	}
	return resp, nil
}
