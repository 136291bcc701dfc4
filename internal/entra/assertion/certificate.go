package assertion

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Certificate is a private key with its certificate, opened.
type Certificate struct {
	// Chain begins with the key's certificate; each of the others has signed the
	// one before it. What doesn't belong to the chain is left out.
	Chain []*x509.Certificate
	Key   *rsa.PrivateKey
}

// LoadCertificate opens a certificate with its key, from PEM or PKCS#12. It
// doesn't look at the certificate's dates. Every error is an Error.
func LoadCertificate(file identity.Certificate) (cert *Certificate, err error) {
	defer func() {
		if recover() != nil { // pkcs8 panics on ciphertexts of a wrong length
			cert, err = nil, unusable("the certificate file is damaged")
		}
	}()
	content := bytes.TrimPrefix([]byte(file.Content.Reveal()), []byte("\xef\xbb\xbf"))
	var found *parts
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return nil, unusable("the certificate file is empty")
	case bytes.Contains(content, []byte("-----BEGIN ")):
		found, err = fromPEM(content, file.Password)
	default:
		found, err = fromPKCS12(content, file.Password)
	}
	if err != nil {
		return nil, err
	}
	return found.pair()
}

// Leaf is the key's own certificate.
func (c *Certificate) Leaf() *x509.Certificate { return c.Chain[0] }

// Valid says whether the certificate can be used at now. Entra would refuse with
// words that fit a certificate which it doesn't know.
func (c *Certificate) Valid(now time.Time) error {
	const day = "2006-01-02 15:04 MST"
	from, until := c.Leaf().NotBefore, c.Leaf().NotAfter
	switch {
	case now.After(until):
		return &Error{why: "the certificate expired on " + until.UTC().Format(day), code: CodeOutdated}
	case now.Add(skew).Before(from):
		return &Error{why: "the certificate is not valid before " + from.UTC().Format(day), code: CodeOutdated}
	}
	return nil
}

// PEM is key and chain as one file without a password, to be sealed.
func (c *Certificate) PEM() (secret.String, error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.Key)
	if err != nil {
		return secret.String{}, unusable("the private key can't be encoded")
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	for _, cert := range c.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return secret.New(string(out)), nil
}

// parts is what a file holds, in the file's order.
type parts struct {
	keys  []any
	certs []*x509.Certificate
}

// pair finds the certificate that belongs to the key.
func (p *parts) pair() (*Certificate, error) {
	switch {
	case len(p.keys) == 0:
		return nil, unusable("the certificate file holds no private key")
	case len(p.keys) > 1:
		return nil, unusable("the certificate file holds more than one private key")
	case len(p.certs) == 0:
		return nil, unusable("the certificate file holds no certificate")
	}
	key, ok := p.keys[0].(*rsa.PrivateKey)
	if !ok {
		return nil, unusable("the private key is not an RSA key, and Microsoft Entra takes RSA keys only")
	}
	var leaf *x509.Certificate // the newest, where one was renewed with the same key
	for _, c := range p.certs {
		if key.PublicKey.Equal(c.PublicKey) && (leaf == nil || c.NotAfter.After(leaf.NotAfter)) {
			leaf = c
		}
	}
	if leaf == nil {
		return nil, unusable("the certificate does not belong to the private key")
	}
	return &Certificate{Chain: chain(leaf, p.certs), Key: key}, nil
}

// chain follows signatures upwards from leaf, as far as the file goes.
func chain(leaf *x509.Certificate, certs []*x509.Certificate) []*x509.Certificate {
	ordered := []*x509.Certificate{leaf}
	for {
		last := ordered[len(ordered)-1]
		next := slices.IndexFunc(certs, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil && !slices.ContainsFunc(ordered, c.Equal)
		})
		if next < 0 {
			return ordered
		}
		ordered = append(ordered, certs[next])
	}
}
