package e2e

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/sys/unix"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

func setenv(t *testing.T, vars map[string]string) {
	t.Helper()
	for name, value := range vars {
		t.Setenv(name, value)
	}
}

// setApplication sets the environment variables of the application, with one of its credentials.
func (s *sdk) setApplication(t *testing.T, name, value string) {
	t.Helper()
	setenv(t, map[string]string{"AZURE_TENANT_ID": s.tenant.ID(), "AZURE_CLIENT_ID": clientID, name: value})
}

func (s *sdk) bySecret(tenant, client, secret string) (azcore.TokenCredential, error) {
	options := &azidentity.ClientSecretCredentialOptions{ClientOptions: s.options}
	return azidentity.NewClientSecretCredential(tenant, client, secret, options)
}

func (s *sdk) byEnvironment(t *testing.T, name, value string) (azcore.TokenCredential, error) {
	t.Helper()
	s.setApplication(t, name, value)
	return azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: s.options})
}

func (s *sdk) byCertificate(client string, c keyPair, chain bool) (azcore.TokenCredential, error) {
	options := &azidentity.ClientCertificateCredentialOptions{ClientOptions: s.options, SendCertificateChain: chain}
	certs := []*x509.Certificate{c.cert}
	return azidentity.NewClientCertificateCredential(s.tenant.ID(), client, certs, c.key, options)
}

func (s *sdk) byAssertion(token string) (azcore.TokenCredential, error) {
	options := &azidentity.ClientAssertionCredentialOptions{ClientOptions: s.options}
	get := func(context.Context) (string, error) { return token, nil }
	return azidentity.NewClientAssertionCredential(s.tenant.ID(), clientID, get, options)
}

// byPipeline returns a credential in a job of Azure Pipelines. The application trusts the subject of the job's service
// connection with a suffix; an access token of "" is the job's.
func (s *sdk) byPipeline(t *testing.T, subjectSuffix, accessToken string) (azcore.TokenCredential, error) {
	t.Helper()
	organization := s.cloud.AddAzurePipelines("contoso")
	job := organization.Job()
	connection, subject := job.AddServiceConnection("registry")
	s.app.AddFederatedCredential(organization.Issuer(), subject+subjectSuffix, "")
	t.Setenv("SYSTEM_OIDCREQUESTURI", job.RequestURL())
	options := &azidentity.AzurePipelinesCredentialOptions{ClientOptions: s.options}
	accessToken = cmp.Or(accessToken, job.RequestToken())
	return azidentity.NewAzurePipelinesCredential(s.tenant.ID(), clientID, connection, accessToken, options)
}

func (s *sdk) byManagedIdentity(t *testing.T, id azidentity.ManagedIDKind) (azcore.TokenCredential, error) {
	t.Helper()
	s.shortenTokens(t)
	options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: s.options, ID: id}
	return azidentity.NewManagedIdentityCredential(options)
}

// shortenTokens makes managed identities' tokens expire in a minute, with a clock that is late. MSAL caches tokens that
// live more than five minutes for the whole process, whatever their endpoint, and would then not use other endpoints.
func (s *sdk) shortenTokens(t *testing.T) {
	s.cloud.AdvanceClock(-24*time.Hour + time.Minute)
	t.Cleanup(func() { s.cloud.SetClock(nil) })
}

// removeIdentitiesUnless removes the computer's managed identities for a test, unless keep is true.
func (s *sdk) removeIdentitiesUnless(t *testing.T, keep bool) {
	if !keep {
		t.Cleanup(func() { s.computer.Assign(s.own, s.assigned) })
		s.computer.Assign()
	}
}

// makeArcKeyDir makes the directory of the Azure Arc agent. MSAL accepts no other.
func makeArcKeyDir(t *testing.T) string {
	t.Helper()
	const agent = "/var/opt/azcmagent"
	if os.Getuid() != 0 {
		skipOrFail(t, "only root can make Azure Arc's directory for keys")
	}
	if exists(agent) {
		skipOrFail(t, "the Azure Arc agent is installed on this computer")
	}
	t.Cleanup(func() { os.RemoveAll(agent) })
	if err := os.MkdirAll(agent+"/tokens", 0o755); err != nil {
		t.Fatal(err)
	}
	return agent + "/tokens"
}

// clusterSubject is the workload that the application trusts.
const clusterSubject = "system:serviceaccount:ci:builder"

// clusterToken returns the token of that workload, or of another one.
func (s *sdk) clusterToken(trusted bool) string {
	s.app.AddFederatedCredential(s.issuer.URL(), clusterSubject, "")
	subject := pick(trusted, clusterSubject, "system:serviceaccount:ci:default")
	return s.issuer.Token(subject, azuretest.TokenExchange, time.Hour)
}

// useTokenProxy makes this process a pod of a cluster with identity bindings, which bind the application to the pod's
// workload or to another one.
func (s *sdk) useTokenProxy(t *testing.T, bound bool) {
	t.Helper()
	proxy := s.cloud.AddTokenProxy()
	proxy.Bind(s.app, s.issuer, pick(bound, clusterSubject, clusterSubject+"-2"))
	token := s.issuer.Token(clusterSubject, azuretest.IdentityBinding, time.Hour)
	s.setApplication(t, "AZURE_FEDERATED_TOKEN_FILE", s.write(filepath.Join(s.work, "token"), token))
	setenv(t, map[string]string{
		"AZURE_KUBERNETES_TOKEN_PROXY": proxy.URL(),
		"AZURE_KUBERNETES_SNI_NAME":    proxy.ServerName(),
		"AZURE_KUBERNETES_CA_FILE":     s.write(filepath.Join(s.work, "cluster.pem"), string(proxy.CAPEM())),
	})
	// For the proxy, azidentity uses a copy of the default transport, whatever its options say.
	before := http.DefaultTransport
	http.DefaultTransport = s.cloud.Transport()
	t.Cleanup(func() { http.DefaultTransport = before })
}

func (s *sdk) userToken() string { return s.user.AccessToken("https://containerregistry.azure.net", 0) }

// addTool puts a developer tool first on the PATH. It accepts one command line.
func (s *sdk) addTool(t *testing.T, name, arguments, script string) {
	t.Helper()
	s.addScript(t, name, "[ \"$*\" = '"+arguments+"' ] || { echo \"unexpected arguments: $*\" >&2; exit 97; }\n"+script)
}

func (s *sdk) addScript(t *testing.T, name, script string) {
	t.Helper()
	path := s.write(filepath.Join(s.dir("tools"), name), "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
}

// addBrowser has the next browser that a program opens be one without a window, in which the user does something.
func (s *sdk) addBrowser(t *testing.T, action azuretest.PageAction) {
	t.Helper()
	pipe := filepath.Join(s.work, "address")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	s.addScript(t, "xdg-open", "printf %s \"$1\" >"+pipe)
	s.cloud.SetBrowserUser(s.user, action)
	var browsing sync.WaitGroup
	browsing.Go(func() {
		address, err := os.ReadFile(pipe)
		if err == nil && len(address) > 0 {
			_, err = s.cloud.Browse(string(address), nil)
		}
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		// This ends the read above if nothing was written.
		if w, err := os.OpenFile(pipe, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
			w.Close()
		}
		browsing.Wait()
		s.cloud.SetBrowserUser(nil, "")
		os.Remove(pipe)
	})
}

// A keyPair is a self-signed certificate of an application.
type keyPair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
	pem  string
}

// certificates returns two certificates, which it makes once, because RSA keys take time.
var certificates = sync.OnceValue(func() (pairs [2]keyPair) {
	for i := range pairs {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: "app.contoso.example"},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true,
		}
		raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			panic(err)
		}
		private, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			panic(err)
		}
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			panic(err)
		}
		text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
			pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
		pairs[i] = keyPair{cert, key, string(text)}
	}
	return pairs
})

// lastRefusal returns the cloud's reason for its last refusal, for clients that drop it.
func (s *sdk) lastRefusal() (why string) {
	for _, r := range s.cloud.Requests() {
		if r.Why != "" {
			why = r.Why
		}
	}
	return why
}
