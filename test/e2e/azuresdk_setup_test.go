package e2e

import (
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

func (s *sdk) managed(t *testing.T, id azidentity.ManagedIDKind) (azcore.TokenCredential, error) {
	s.shorten(t)
	return azidentity.NewManagedIdentityCredential(&azidentity.ManagedIdentityCredentialOptions{ClientOptions: s.options, ID: id})
}

// shorten leaves tokens of managed identities a minute to live, by a cloud whose
// clock is late. MSAL keeps those with more than five for the whole process, from
// whatever endpoint they came, so that no other would be asked.
func (s *sdk) shorten(t *testing.T) {
	s.cloud.AdvanceClock(-24*time.Hour + time.Minute)
	t.Cleanup(func() { s.cloud.SetClock(nil) })
}

// lend takes the machine's identities away for a test, unless they stay.
func (s *sdk) lend(t *testing.T, stay bool) {
	if !stay {
		t.Cleanup(func() { s.machine.Assign(s.own, s.assigned) })
		s.machine.Assign()
	}
}

// arcKeys makes the directory in which alone MSAL believes Azure Arc's agent.
func arcKeys(t *testing.T) string {
	t.Helper()
	const agent = "/var/opt/azcmagent"
	if os.Getuid() != 0 {
		missing(t, "Azure Arc's directory for keys is root's")
	}
	if exists(agent) {
		missing(t, "Azure Arc's agent is installed here")
	}
	t.Cleanup(func() { os.RemoveAll(agent) })
	if err := os.MkdirAll(agent+"/tokens", 0o755); err != nil {
		t.Fatal(err)
	}
	return agent + "/tokens"
}

// clusterToken is that of a workload, or of another one of its cluster.
func (s *sdk) clusterToken(right bool) string {
	s.app.AddFederatedCredential(s.issuer.URL(), "system:serviceaccount:ci:builder", "")
	return s.issuer.Token(pick(right, "system:serviceaccount:ci:builder", "system:serviceaccount:ci:default"), azuretest.TokenExchange, time.Hour)
}

// proxied makes this a pod of a cluster with identity bindings, which is bound to
// the application or to another one.
func (s *sdk) proxied(t *testing.T, right bool) {
	t.Helper()
	const subject = "system:serviceaccount:ci:builder"
	proxy := s.cloud.AddTokenProxy()
	proxy.Bind(s.app, s.issuer, pick(right, subject, subject+"-2"))
	setenv(t, map[string]string{
		"AZURE_TENANT_ID": s.tenant.ID(), "AZURE_CLIENT_ID": clientID,
		"AZURE_FEDERATED_TOKEN_FILE":   s.write(filepath.Join(s.work, "token"), s.issuer.Token(subject, azuretest.IdentityBinding, time.Hour)),
		"AZURE_KUBERNETES_TOKEN_PROXY": proxy.URL(), "AZURE_KUBERNETES_SNI_NAME": proxy.ServerName(),
		"AZURE_KUBERNETES_CA_FILE": s.write(filepath.Join(s.work, "cluster.pem"), string(proxy.CAPEM())),
	})
	// azidentity reaches the proxy by a copy of this one, whatever the options say.
	usual := http.DefaultTransport
	http.DefaultTransport = s.cloud.Transport()
	t.Cleanup(func() { http.DefaultTransport = usual })
}

func (s *sdk) personToken() string {
	return s.person.AccessToken("https://containerregistry.azure.net", 0)
}

// tool puts a developer tool before all others. It knows one command.
func (s *sdk) tool(t *testing.T, name, arguments, does string) {
	t.Helper()
	script := "#!/bin/sh\n[ \"$*\" = '" + arguments + "' ] || { echo \"not called so: $*\" >&2; exit 97; }\n" + does + "\n"
	path := s.write(filepath.Join(s.dir("tools"), name), script)
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
}

// openBrowser makes the next browser that a program opens one without a screen,
// in front of which the person sits.
func (s *sdk) openBrowser(t *testing.T, does azuretest.Deed) {
	t.Helper()
	pipe := filepath.Join(s.work, "address")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	path := s.write(filepath.Join(s.dir("tools"), "xdg-open"), "#!/bin/sh\nprintf %s \"$1\" >"+pipe+"\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(path)+":"+os.Getenv("PATH"))
	s.cloud.Person(s.person, does)
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
		// Whoever still waits for an address gets none.
		if w, err := os.OpenFile(pipe, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil {
			w.Close()
		}
		browsing.Wait()
		s.cloud.Person(nil, "")
		os.Remove(pipe)
	})
}

// A keyPair is a self-signed certificate, as an application has one.
type keyPair struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
	pem  string
}

// certificates are two of them: making keys takes a while.
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
		text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
		pairs[i] = keyPair{cert, key, string(text)}
	}
	return pairs
})

func (s *sdk) byCertificate(client string, c keyPair, chain bool) (azcore.TokenCredential, error) {
	return azidentity.NewClientCertificateCredential(s.tenant.ID(), client, []*x509.Certificate{c.cert}, c.key,
		&azidentity.ClientCertificateCredentialOptions{ClientOptions: s.options, SendCertificateChain: chain})
}

// lastRefusal is the cloud's own reason for the last of its refusals, for where a
// client loses what it was told.
func (s *sdk) lastRefusal() (why string) {
	for _, r := range s.cloud.Requests() {
		if r.Why != "" {
			why = r.Why
		}
	}
	return why
}
