package clientcredential

import (
	"net/http"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestClient_transport_of_a_token_proxy checks that the cluster's proxy, which has its own name and roots, gets
// everything that is meant for Entra.
func TestClient_transport_of_a_token_proxy(t *testing.T) {
	type change = func(*fixture, *azuretest.TokenProxy, *identity.TokenProxy)
	proxy := func(set func(*identity.TokenProxy)) change {
		return func(_ *fixture, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAData = string(p.CAPEM())
			set(c)
		}
	}
	rootsFrom := func(data string, file func(*fixture) string) change {
		return func(f *fixture, _ *azuretest.TokenProxy, c *identity.TokenProxy) { c.CAData, c.CAFile = data, file(f) }
	}
	noFile := func(*fixture) string { return "" }
	for _, row := range []struct {
		what string
		do   change
		code fault.Code
	}{
		{"a file of roots", func(f *fixture, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAFile = f.file(string(p.CAPEM()))
		}, ""},
		{"roots as data", proxy(func(*identity.TokenProxy) {}), ""},
		{"a slash at the end", proxy(func(c *identity.TokenProxy) { c.URL += "/" }), ""},
		{"the system's roots", rootsFrom("", noFile), fault.TLS},
		{"other roots", rootsFrom(string(shared().CAPEM()), noFile), fault.TLS},
		{"another name", proxy(func(c *identity.TokenProxy) { c.ServerName = "" }), fault.EntraOther},
		{"roots given twice", rootsFrom(string(shared().CAPEM()), func(f *fixture) string {
			return f.file(string(f.CAPEM()))
		}), fault.TokenProxy},
		{"roots without a certificate", rootsFrom("SECRET", noFile), fault.TokenProxy},
		{"an empty file of roots", rootsFrom("", func(f *fixture) string { return f.file("") }), fault.TokenProxy},
		{"no file of roots", rootsFrom("", func(*fixture) string { return "/no/such/file" }), fault.TokenProxy},
		{"plain HTTP", proxy(func(c *identity.TokenProxy) { c.URL = "http://proxy.example" }), fault.TokenProxy},
		{"user-info", proxy(func(c *identity.TokenProxy) { c.URL = "https://SECRET@proxy.example" }), fault.TokenProxy},
		{"a query", proxy(func(c *identity.TokenProxy) { c.URL += "?x=y" }), fault.TokenProxy},
		{"a fragment", proxy(func(c *identity.TokenProxy) { c.URL += "#x" }), fault.TokenProxy},
		{"a custom transport", func(f *fixture, _ *azuretest.TokenProxy, _ *identity.TokenProxy) {
			f.client.Transport = transport(f.client.Transport.RoundTrip)
		}, fault.TokenProxy},
		{"a failure of Entra", func(f *fixture, p *azuretest.TokenProxy, c *identity.TokenProxy) {
			c.CAData = string(p.CAPEM())
			f.Fault("", "/*", azuretest.Fault{Status: 500, Body: "SECRET"})
		}, fault.EntraUnavailable},
	} {
		t.Run(row.what, func(t *testing.T) {
			f := newFixture(t, contoso)
			p := f.AddTokenProxy()
			p.Bind(f.app, f.cluster, subject)
			configured := identity.TokenProxy{URL: p.URL(), ServerName: p.ServerName()}
			row.do(f, p, &configured)
			file := f.file(f.cluster.Token(subject, azuretest.IdentityBinding, time.Hour))
			f.expect(f.federated(identity.WorkloadIdentity, identity.Federation{File: file, Proxy: configured}), row.code)
			n := len(f.Requests())
			if f.Seen(azuretest.KindTokenProxy) != n || row.code == "" && n != 1 {
				t.Errorf("%d of %d requests went to the proxy", f.Seen(azuretest.KindTokenProxy), n)
			}
			for _, r := range f.Requests() {
				if r.Host != f.row.Authority {
					t.Errorf("the proxy was asked about %s", r.Host)
				}
			}
			if row.code == "" && f.client.Transport.(*http.Transport).TLSClientConfig.ServerName != "" {
				t.Error("the client's transport was changed")
			}
		})
	}
}
