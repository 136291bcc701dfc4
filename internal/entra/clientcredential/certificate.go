package clientcredential

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A Certificate is a decrypted private key with its certificate.
type Certificate struct {
	// Chain begins with the key's certificate; each of the others has signed the one
	// before it. Other certificates of the file are left out.
	Chain []*x509.Certificate
	Key   *rsa.PrivateKey
}

// loadTimeout limits the decryption of a certificate. The file itself says how often its
// password is hashed: with openssl's numbers that takes milliseconds.
const loadTimeout = 5 * time.Second

// LoadCertificate reads a certificate with its key, from PEM or PKCS#12. It doesn't check
// the certificate's dates. It takes five seconds at most; decryption that would take longer
// goes on unobserved.
func LoadCertificate(ctx context.Context, file identity.Certificate) (*Certificate, error) {
	limited, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	var cert *Certificate
	var err error
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		cert, err = load(file)
	}()
	select {
	case <-loaded:
		return cert, err
	case <-limited.Done():
		if ctx.Err() != nil {
			return nil, &fault.Error{Code: fault.Timeout, Reason: "decrypting the certificate was canceled", Cause: ctx.Err()}
		}
		return nil, unusable("the certificate takes too long to decrypt (too many key derivation rounds)")
	}
}

func load(file identity.Certificate) (cert *Certificate, err error) {
	defer func() {
		if recover() != nil { // pkcs8 panics on ciphertexts of a wrong length
			cert, err = nil, unusable("the certificate file is damaged")
		}
	}()
	content, err := safefile.Text([]byte(file.Content.Reveal()))
	if err != nil {
		return nil, unusable("the certificate file can't be read: " + err.Error())
	}
	// Secret stores keep text only: Azure Key Vault returns PKCS#12 in base64, and others
	// want PEM in base64.
	decoded, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(content), nil)))
	if err == nil && len(decoded) > 0 {
		content = decoded
	}
	switch {
	case len(bytes.TrimSpace(content)) == 0:
		return nil, unusable("the certificate file is empty")
	case bytes.Contains(content, []byte("-----BEGIN ")):
		return parsePEM(content, file.Password)
	}
	return parsePKCS12(content, file.Password)
}

// checkDates returns an error unless the certificate can be used now. Entra's own refusal
// would be that of an unknown certificate.
func (c *Certificate) checkDates(now time.Time) error {
	const layout = "2006-01-02 15:04 MST"
	from, until := c.Chain[0].NotBefore, c.Chain[0].NotAfter
	switch {
	case now.After(until):
		return fault.New(fault.CertificateOutdated, "the certificate expired on %s", until.UTC().Format(layout))
	case now.Add(clockSkew).Before(from):
		return fault.New(fault.CertificateOutdated, "the certificate is not valid before %s", from.UTC().Format(layout))
	}
	return nil
}

// PEM returns key and chain as one file without a password, to be sealed.
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

// pair finds the certificate that belongs to the one key of a file; the newest, where one
// was renewed with the same key.
func pair(keys []any, certs []*x509.Certificate) (*Certificate, error) {
	switch {
	case len(keys) == 0:
		return nil, unusable("the certificate file has no private key")
	case len(keys) > 1:
		return nil, unusable("the certificate file has more than one private key")
	case len(certs) == 0:
		return nil, unusable("the certificate file has no certificate")
	}
	key, ok := keys[0].(*rsa.PrivateKey)
	if !ok {
		return nil, unusable("the private key is not an RSA key, and Microsoft Entra ID accepts RSA keys only")
	}
	var leaf *x509.Certificate
	for _, cert := range certs {
		if key.PublicKey.Equal(cert.PublicKey) && (leaf == nil || cert.NotAfter.After(leaf.NotAfter)) {
			leaf = cert
		}
	}
	if leaf == nil {
		return nil, unusable("the certificate does not belong to the private key")
	}
	return &Certificate{Chain: chain(leaf, certs), Key: key}, nil
}

// chain follows signatures upward from leaf, as far as the file goes.
func chain(leaf *x509.Certificate, certs []*x509.Certificate) []*x509.Certificate {
	ordered := []*x509.Certificate{leaf}
	for {
		last := ordered[len(ordered)-1]
		next := slices.IndexFunc(certs, func(c *x509.Certificate) bool {
			return bytes.Equal(c.RawSubject, last.RawIssuer) && last.CheckSignatureFrom(c) == nil &&
				!slices.ContainsFunc(ordered, c.Equal)
		})
		if next < 0 {
			return ordered
		}
		ordered = append(ordered, certs[next])
	}
}

var (
	errNoPassword = &fault.Error{
		Code: fault.CertificatePassword, Reason: "the certificate's private key is encrypted, and no password is set",
	}
	errWrongPassword = &fault.Error{
		Code: fault.CertificatePassword, Reason: "the password of the certificate's private key is wrong",
	}
)

func unusable(reason string) *fault.Error {
	return &fault.Error{Code: fault.Certificate, Reason: reason}
}

// parsePKCS12 reads a .pfx or .p12 file (RFC 7292). A password that the file doesn't need
// is no mistake, so it is tried without one first.
func parsePKCS12(content []byte, password secret.String) (*Certificate, error) {
	key, leaf, others, err := pkcs12.DecodeChain(content, "")
	if err != nil && !password.IsZero() {
		key, leaf, others, err = pkcs12.DecodeChain(content, password.Reveal())
	}
	if err != nil {
		return nil, explainPKCS12(err, password)
	}
	return pair([]any{key}, append([]*x509.Certificate{leaf}, others...))
}

// explainPKCS12 goes by the library's texts where it has no error values.
func explainPKCS12(err error, password secret.String) error {
	badPassword := errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption)
	_, notImplemented := errors.AsType[pkcs12.NotImplementedError](err)
	switch text := err.Error(); {
	case badPassword && password.IsZero():
		return errNoPassword
	case badPassword:
		return errWrongPassword
	case notImplemented:
		return unusable("the certificate file's encryption is not supported")
	case strings.HasSuffix(text, "private key missing"):
		return unusable("the certificate file has no private key")
	case strings.HasSuffix(text, "certificate missing"):
		return unusable("the certificate file has no certificate")
	case strings.HasSuffix(text, "exactly one key bag"):
		return unusable("the certificate file has more than one private key")
	}
	return unusable("the certificate file is neither PEM nor PKCS#12")
}
