package script

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// hostChanges are changes to the issuers of federated tokens and to the computer that the program runs on.
var hostChanges = map[string]change{
	"github": func(ts *testscript.TestScript, s *fixture, a []string) {
		if s.gitHub == nil {
			s.gitHub = s.cloud.AddGitHubActions()
		}
		job := s.gitHub.Job(a[0])
		s.app.AddFederatedCredential(azuretest.GitHubIssuer, a[0], "")
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_URL", job.RequestURL())
		ts.Setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", job.RequestToken())
	},
	"pipelines": func(ts *testscript.TestScript, s *fixture, a []string) {
		pipelines := s.cloud.AddAzurePipelines("contoso")
		job := pipelines.Job()
		id, subject := job.AddServiceConnection(a[0])
		s.app.AddFederatedCredential(pipelines.Issuer(), subject, "")
		ts.Setenv("SYSTEM_OIDCREQUESTURI", job.RequestURL())
		ts.Setenv("SYSTEM_ACCESSTOKEN", job.RequestToken())
		ts.Setenv("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID", id)
	},
	"federated-token": func(ts *testscript.TestScript, s *fixture, a []string) {
		const issuer = "https://issuer.example"
		if s.issuer == nil {
			s.issuer = s.cloud.AddIssuer(issuer)
		}
		s.app.AddFederatedCredential(issuer, a[0], "")
		token := s.issuer.Token(a[0], azuretest.TokenExchange, time.Hour)
		if len(a) == 2 {
			ts.Setenv(a[1], token)
			return
		}
		ts.Check(os.WriteFile(ts.MkAbs(a[2]), []byte(token), 0o600))
		ts.Setenv(a[1], ts.MkAbs(a[2]))
	},
	"untrusted-token": func(ts *testscript.TestScript, s *fixture, a []string) {
		ts.Setenv(a[0], s.cloud.AddIssuer("https://untrusted.example").Token("job:1", azuretest.TokenExchange, time.Hour))
	},
	"certificate": func(ts *testscript.TestScript, s *fixture, a []string) {
		kind := append(a, "")[1]
		content, cert := certificate(ts, kind == "ec")
		ts.Check(os.WriteFile(ts.MkAbs(a[0]), content, 0o600))
		if kind == "" {
			s.app.AddCertificate(cert)
		}
	},
	"managed-identities": func(ts *testscript.TestScript, s *fixture, a []string) {
		var has []*azuretest.ManagedIdentity
		for _, name := range a {
			if s.identities[name] == nil {
				own := name
				if name == "system" {
					own = ""
				}
				s.identities[name] = s.tenant.AddManagedIdentity(own)
				s.registry.Grant(s.identities[name], azuretest.AcrPull)
			}
			id := s.identities[name]
			ts.Setenv(name+"_CLIENT_ID", id.ClientID())
			ts.Setenv(name+"_RESOURCE_ID", id.ResourceID())
			has = append(has, id)
		}
		if s.host == nil {
			s.host = s.cloud.AddManagedIdentityHost()
		}
		s.host.Assign(has...)
	},
	"revoke-identity": func(_ *testscript.TestScript, s *fixture, a []string) { s.registry.Revoke(s.identities[a[0]]) },
	"app-service": func(ts *testscript.TestScript, s *fixture, _ []string) {
		for name, value := range s.host.AppService() {
			ts.Setenv(name, value)
		}
	},
	"private": func(ts *testscript.TestScript, s *fixture, a []string) {
		tenant := s.cloud.AddTenantAt(azuretest.PrivateAuthority, "")
		app := tenant.AddServicePrincipal(clientID, password)
		for _, host := range a {
			s.cloud.AddRegistry(host, tenant).Grant(app, azuretest.AcrPull)
		}
		ts.Setenv("PRIVATE_TENANT", tenant.ID())
	},
	"bindings": func(ts *testscript.TestScript, s *fixture, a []string) {
		proxy := s.cloud.AddTokenProxy()
		issuer := s.cloud.AddIssuer("https://oidc.aks.example")
		proxy.Bind(s.app, issuer, a[0])
		ts.Check(os.WriteFile(ts.MkAbs("bound-token"), []byte(issuer.Token(a[0], azuretest.IdentityBinding, time.Hour)), 0o600))
		ts.Check(os.WriteFile(ts.MkAbs("proxy-ca.pem"), proxy.CAPEM(), 0o600))
		ts.Setenv("AZURE_FEDERATED_TOKEN_FILE", ts.MkAbs("bound-token"))
		ts.Setenv("AZURE_KUBERNETES_TOKEN_PROXY", proxy.URL())
		ts.Setenv("AZURE_KUBERNETES_SNI_NAME", proxy.ServerName())
		ts.Setenv("AZURE_KUBERNETES_CA_FILE", ts.MkAbs("proxy-ca.pem"))
	},
	"proxy": func(ts *testscript.TestScript, s *fixture, a []string) {
		addr := strings.TrimPrefix(s.cloud.StartProxy().URL(), "http://")
		if len(a) > 0 {
			status, err := strconv.Atoi(a[0])
			ts.Check(err)
			refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
			ts.Defer(refusing.Close)
			addr = refusing.Listener.Addr().String()
		}
		ts.Setenv("PROXY_ADDR", addr) // for program
		ts.Setenv("HTTPS_PROXY", "http://"+addr)
	},
	"trust-identity": func(_ *testscript.TestScript, s *fixture, a []string) {
		s.app.AddManagedIdentityCredential(s.identities[a[0]])
	},
}

// certificate makes a certificate that signed itself, with its key.
func certificate(ts *testscript.TestScript, elliptic_ bool) ([]byte, *x509.Certificate) {
	var private, public any
	if elliptic_ {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		ts.Check(err)
		private, public = key, key.Public()
	} else {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		ts.Check(err)
		private, public = key, key.Public()
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "app"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	ts.Check(err)
	cert, err := x509.ParseCertificate(der)
	ts.Check(err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	ts.Check(err)
	var out bytes.Buffer
	ts.Check(pem.Encode(&out, &pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	ts.Check(pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return out.Bytes(), cert
}
