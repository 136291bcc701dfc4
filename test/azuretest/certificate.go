package azuretest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"strings"
)

// A certificateSubject stands for all certificates that an authority issues to a subject.
type certificateSubject struct {
	name      string
	authority *x509.Certificate
}

// AddCertificate registers a certificate: assertions signed with its key authenticate the application.
func (p *ServicePrincipal) AddCertificate(cert *x509.Certificate) {
	p.tenant.cloud.locked(func() { p.certificates = append(p.certificates, cert) })
}

// AddCertificateSubject trusts all certificates that authority, directly or through intermediates, issues to the
// subject with this common name (subject name and issuer authentication). Their assertions must have the certificate
// chain in the header x5c.
func (p *ServicePrincipal) AddCertificateSubject(name string, authority *x509.Certificate) {
	p.tenant.cloud.locked(func() { p.subjects = append(p.subjects, certificateSubject{name, authority}) })
}

// isDisabled reports whether Disable was called.
func (p *ServicePrincipal) isDisabled() bool {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	return p.disabled
}

// signingCertificate returns the certificate that an assertion is signed with, or the AADSTS code of a refusal.
func (p *ServicePrincipal) signingCertificate(a *assertion) (*x509.Certificate, int) {
	p.tenant.cloud.mu.Lock()
	defer p.tenant.cloud.mu.Unlock()
	for _, cert := range p.certificates {
		if a.hasThumbprintOf(cert) {
			return cert, 0
		}
	}
	chain := a.chain()
	if len(p.subjects) == 0 || len(chain) == 0 || !a.hasThumbprintOf(chain[0]) {
		return nil, 700027
	}
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	for _, subject := range p.subjects {
		roots := x509.NewCertPool()
		roots.AddCert(subject.authority)
		_, err := chain[0].Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, CurrentTime: p.tenant.cloud.now(),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		if err == nil && chain[0].Subject.CommonName == subject.name {
			return chain[0], 0
		}
	}
	return nil, 700030
}

// hasThumbprintOf reports whether the header has the certificate's SHA-256 thumbprint. Microsoft documents base64url,
// MSAL Go sends standard base64, and Entra accepts both. It also accepts SHA-1, which no client should send any more.
func (a *assertion) hasThumbprintOf(cert *x509.Certificate) bool {
	sum := sha256.Sum256(cert.Raw)
	sent := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(a.header.S256, "="))
	return sent == base64URL(sum[:])
}

// chain returns the certificates in the header x5c (RFC 7515 §4.1.6), or nil if one is malformed.
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
