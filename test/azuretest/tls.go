package azuretest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// certificates is a root certificate and its server certificates, one per name.
type certificates struct {
	root         *x509.Certificate
	rootKey      *ecdsa.PrivateKey
	leafKey      *ecdsa.PrivateKey
	onServerName func(serverName string)

	mu         sync.Mutex
	leaves     map[string]*tls.Certificate
	otherRoots map[string]*certificates // names with another root certificate
}

// newCertificates creates a root certificate. It calls onServerName with the server name of each TLS handshake.
func newCertificates(onServerName func(string)) *certificates {
	rootKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := certificateTemplate("azuretest root")
	template.IsCA = true
	template.KeyUsage = x509.KeyUsageCertSign
	der := must(x509.CreateCertificate(rand.Reader, template, template, rootKey.Public(), rootKey))
	return &certificates{
		root: must(x509.ParseCertificate(der)), rootKey: rootKey,
		leafKey: must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), onServerName: onServerName,
		leaves: map[string]*tls.Certificate{}, otherRoots: map[string]*certificates{},
	}
}

// certificateTemplate is valid for a century, for clients with a fake clock.
func certificateTemplate(name string) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // crypto/rand never fails
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		BasicConstraintsValid: true,
	}
}

// config offers HTTP/1.1 only, so that a fault that truncates or hangs affects only its own request.
func (s *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: s.leaf,
	}
}

// leaf returns a certificate for any name, even an attacker's: the request of a misdirected client must arrive to be
// detected.
func (s *certificates) leaf(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := hello.ServerName
	if other := s.otherRoot(name); other != nil {
		return other.leaf(hello)
	}
	if name != "" {
		s.onServerName(name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cert := s.leaves[name]; cert != nil {
		return cert, nil
	}
	template := certificateTemplate("azuretest leaf")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.DNSNames = []string{name}
	if name == "" {
		template.DNSNames = []string{"localhost"}
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, s.root, s.leafKey.Public(), s.rootKey)
	if err != nil {
		return nil, fmt.Errorf("creating a certificate for %q: %w", name, err)
	}
	cert := &tls.Certificate{Certificate: [][]byte{der, s.root.Raw}, PrivateKey: s.leafKey}
	s.leaves[name] = cert
	return cert, nil
}

// useRoot sets another root certificate for a name.
func (s *certificates) useRoot(name string, other *certificates) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.otherRoots[name] = other
}

func (s *certificates) otherRoot(name string) *certificates {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.otherRoots[name]
}

func (s *certificates) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.root.Raw})
}

// CAPEM returns the root certificate in PEM.
func (c *Cloud) CAPEM() []byte { return c.certs.pem() }

// WriteCA writes the root certificate to a file, for SSL_CERT_FILE and the like.
func (c *Cloud) WriteCA(path string) error {
	return os.WriteFile(path, c.CAPEM(), 0o644)
}

// TransportTo returns a transport that sends all connections to the cloud at addr and trusts only caPEM, for use in
// another process. It ignores proxy variables.
func TransportTo(addr string, caPEM []byte) *http.Transport {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(caPEM)
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
}

// Transport returns a new transport to this cloud, as TransportTo does. ForeignHosts includes the hosts and ports
// that it dials, even if nothing is sent.
func (c *Cloud) Transport() *http.Transport {
	t := TransportTo(c.Addr(), c.CAPEM())
	dial := t.DialContext
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !c.isEndpointAddr(addr) {
			c.noteDial(addr)
		}
		return dial(ctx, network, addr)
	}
	return t
}
