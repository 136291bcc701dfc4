package azuretest

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
)

// A certifiedSubject is a trust in whichever certificate an authority gives to a
// subject.
type certifiedSubject struct {
	name      string
	authority *x509.Certificate
}

// AddCertificate registers a certificate: assertions that its key has signed
// authenticate the application from now on.
func (p *ServicePrincipal) AddCertificate(cert *x509.Certificate) {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	p.certificates = append(p.certificates, cert)
}

// AddCertificateSubject trusts every certificate that authority, or one below
// it, has issued to the subject with this common name (subject name and issuer
// authentication). Such assertions must carry their chain, in the header x5c.
func (p *ServicePrincipal) AddCertificateSubject(name string, authority *x509.Certificate) {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	p.subjects = append(p.subjects, certifiedSubject{name, authority})
}

// isDisabled is what Disable set.
func (p *ServicePrincipal) isDisabled() bool {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	return p.disabled
}

// signingCertificate finds the certificate that an assertion names, or the code
// of a refusal.
func (p *ServicePrincipal) signingCertificate(a *assertion) (*x509.Certificate, int) {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	for _, cert := range p.certificates {
		if a.names(cert) {
			return cert, 0
		}
	}
	chain := a.chain()
	if len(p.subjects) == 0 || len(chain) == 0 || !a.names(chain[0]) {
		return nil, 700027
	}
	between := x509.NewCertPool()
	for _, cert := range chain[1:] {
		between.AddCert(cert)
	}
	for _, subject := range p.subjects {
		roots := x509.NewCertPool()
		roots.AddCert(subject.authority)
		_, err := chain[0].Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: between, CurrentTime: p.tenant.cloud.now(),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		if err == nil && chain[0].Subject.CommonName == subject.name {
			return chain[0], 0
		}
	}
	return nil, 700030
}

// names tells whether the header's thumbprint is the certificate's: SHA-256 or
// SHA-1. Microsoft's documentation says base64url, MSAL Go sends plain base64, and
// Entra takes both.
func (a *assertion) names(cert *x509.Certificate) bool {
	if a.header.S256 != "" {
		sum := sha256.Sum256(cert.Raw)
		return sameBase64(a.header.S256, sum[:])
	}
	sum := sha1.Sum(cert.Raw)
	return a.header.X5T != "" && sameBase64(a.header.X5T, sum[:])
}

func sameBase64(s string, b []byte) bool {
	s = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(s, "="))
	return s == base64.RawURLEncoding.EncodeToString(b)
}

// chain is the header's x5c (RFC 7515 §4.1.6), nil when any of it is wrong.
func (a *assertion) chain() []*x509.Certificate {
	var chain []*x509.Certificate
	for _, text := range a.header.X5C {
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil
		}
		chain = append(chain, cert)
	}
	return chain
}
