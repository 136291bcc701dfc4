package assertion

import (
	"net/http"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestAKSIdentityBindings: all that is Entra's goes to the cluster's proxy, which
// has its own name and roots.
func TestAKSIdentityBindings(t *testing.T) {
	for _, row := range []struct {
		what string
		do   func(*stage, *azuretest.TokenProxy, *identity.TokenProxy)
		code string
	}{
		{"a file of roots", func(s *stage, p *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAFile = s.file(string(p.CAPEM())) }, ""},
		{"roots as data", func(_ *stage, p *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAData = string(p.CAPEM()) }, ""},
		{"a slash at the end", func(_ *stage, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAData, c.URL = string(p.CAPEM()), c.URL+"/"
		}, ""},
		{"the system's roots", func(*stage, *azuretest.TokenProxy, *identity.TokenProxy) {}, guard.CodeTLS},
		{"another's roots", func(s *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAData = string(s.CAPEM()) }, guard.CodeTLS},
		{"another name", func(_ *stage, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAData, c.ServerName = string(p.CAPEM()), ""
		}, authority.CodeOther},
		{"roots given twice", func(s *stage, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAData, c.CAFile = string(p.CAPEM()), s.file("x")
		}, CodeProxy},
		{"roots that are none", func(_ *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAData = "SECRET" }, CodeProxy},
		{"an empty file of roots", func(s *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAFile = s.file("") }, CodeProxy},
		{"no file of roots", func(_ *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAFile = "/no/such/file" }, CodeProxy},
		{"plain HTTP", func(_ *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.URL = "http://proxy.example" }, CodeProxy},
		{"user-info", func(_ *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.URL = "https://SECRET@proxy.example"
		}, CodeProxy},
		{"a query", func(_ *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.URL += "?x=y" }, CodeProxy},
		{"a fragment", func(_ *stage, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.URL += "#x" }, CodeProxy},
		{"a transport of one's own", func(s *stage, _ *azuretest.TokenProxy, _ *identity.TokenProxy) {
			s.client.Transport = roundTripper{s.client.Transport}
		}, CodeProxy},
		{"trouble", func(s *stage, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAData = string(p.CAPEM())
			s.Fault("", "/*", azuretest.Fault{Status: 500, Body: "SECRET"})
		}, authority.CodeTrouble},
	} {
		t.Run(row.what, func(t *testing.T) {
			s := newStage(t, "contoso.azurecr.io")
			cluster := s.AddIssuer("https://oidc.prod-aks.azure.com/cluster/")
			proxy := s.AddTokenProxy()
			proxy.Bind(s.app, cluster, subject)
			configured := identity.TokenProxy{URL: proxy.URL(), ServerName: proxy.ServerName()}
			row.do(s, proxy, &configured)
			file := s.file(cluster.Token(subject, azuretest.IdentityBinding, time.Hour))
			id := s.identity(identity.WorkloadIdentity, identity.Federation{File: file, Proxy: configured})
			s.expect(s.signIn(id), row.code)
			if n := len(s.Requests()); s.Seen(azuretest.KindTokenProxy) != n || row.code == "" && n != 2 {
				t.Errorf("%d of %d requests went to the proxy", s.Seen(azuretest.KindTokenProxy), n)
			}
			for _, r := range s.Requests() {
				if r.Host != s.row.Authority {
					t.Errorf("the proxy was asked about %s", r.Host)
				}
			}
			if row.code == "" && s.client.Transport.(*http.Transport).TLSClientConfig.ServerName != "" {
				t.Error("everybody's transport was changed")
			}
		})
	}
}

// roundTripper hides what kind of transport it is.
type roundTripper struct{ http.RoundTripper }
