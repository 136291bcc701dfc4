package clientcredential

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/youmark/pkcs8"
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

// bentPEM says how a secret store, or a variable, has bent the lines of PEM; "" for PEM that
// has its lines.
func bentPEM(content []byte) string {
	bent := regexp.MustCompile(`-----BEGIN [^-\r\n]+-----[ \t]*([^ \t\r\n])`).FindSubmatch(content)
	switch {
	case bent == nil:
		return describeIndent(content)
	case bent[1][0] == '\\':
		return `the certificate file has "\n" as two characters instead of line breaks`
	}
	return "the certificate file has lost its line breaks"
}

// describeIndent says what is in front of the lines of PEM that begin and end a block, as in a
// YAML file or between quotes; "" for nothing.
func describeIndent(content []byte) string {
	before := regexp.MustCompile(`(?m)^([^\r\n-]+)-----(BEGIN|END) `).FindSubmatch(content)
	switch {
	case before == nil:
		return ""
	case len(bytes.TrimSpace(before[1])) == 0:
		return "the lines of the certificate file begin with spaces"
	}
	return `the certificate file has something before "-----" in a line`
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

// parsePEM reads keys and certificates in any order (RFC 7468), and skips everything
// else.
func parsePEM(content []byte, password secret.String) (*Certificate, error) {
	var keys []any
	var certs []*x509.Certificate
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, unusable("a certificate in the certificate file is damaged")
			}
			certs = append(certs, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := parseBlock(block, password)
			if err != nil {
				return nil, err
			}
			keys = append(keys, key)
		}
	}
	if bent := bentPEM(content); bent != "" && (keys == nil || certs == nil) {
		return nil, unusable(bent)
	}
	return pair(keys, certs)
}

// parseBlock reads a key by its block's type: PKCS#8, PKCS#1 or SEC 1; not encrypted,
// encrypted with PKCS#5's PBES2, or in OpenSSL's older format, which has headers.
func parseBlock(block *pem.Block, password secret.String) (any, error) {
	const encrypted = "ENCRYPTED PRIVATE KEY"
	legacy := x509.IsEncryptedPEMBlock(block) //lint:ignore SA1019 such files exist, and are only read
	if (legacy || block.Type == encrypted) && password.IsZero() {
		return nil, errNoPassword
	}
	if block.Type == encrypted {
		return decryptPKCS8(block.Bytes, password)
	}
	der, damaged := block.Bytes, unusable("the private key is damaged")
	if legacy {
		damaged = errWrongPassword // the padding can look right by chance
		var err error
		//lint:ignore SA1019 such files exist, and are only read
		if der, err = x509.DecryptPEMBlock(block, []byte(password.Reveal())); err != nil {
			return nil, errWrongPassword
		}
	}
	key, err := parseKey(block.Type, der)
	if err != nil {
		return nil, damaged
	}
	return key, nil
}

func parseKey(blockType string, der []byte) (any, error) {
	switch blockType {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(der)
	}
	return x509.ParsePKCS8PrivateKey(der)
}

// decryptPKCS8 takes every error but one about the algorithm for a wrong password:
// nothing else tells.
func decryptPKCS8(der []byte, password secret.String) (any, error) {
	if scryptMemory(der) > maxScrypt {
		return nil, unusable("the private key takes too much memory to decrypt (its scrypt parameters are too large)")
	}
	key, _, err := pkcs8.ParsePrivateKey(der, []byte(password.Reveal()))
	switch {
	case err == nil:
		return key, nil
	case strings.HasPrefix(err.Error(), "pkcs8: ") && err.Error() != "pkcs8: incorrect password":
		return nil, unusable("the private key's encryption is not supported; use PBES2")
	}
	return nil, errWrongPassword
}

// maxScrypt limits the memory for decrypting a key, in bytes; openssl's default takes 16 MB.
const maxScrypt = 160 << 20

// scryptMemory returns how much memory the decryption of a PKCS#8 key takes, in bytes; 0
// for a key that doesn't use scrypt. (RFC 8018 appendix A.4, RFC 7914 §7.1.)
func scryptMemory(der []byte) int64 {
	type algorithm struct {
		ID         asn1.ObjectIdentifier
		Parameters asn1.RawValue `asn1:"optional"`
	}
	var key struct {
		Encryption algorithm
		Data       []byte
	}
	var scheme struct{ KeyDerivation, Cipher algorithm }
	var scrypt struct {
		Salt        []byte
		Cost        int64
		BlockSize   int64
		Parallelism int64
		// The optional length of the key is not read: package pkcs8 ignores it, so it must not
		// be an error here.
	}
	if _, err := asn1.Unmarshal(der, &key); err != nil {
		return 0
	}
	if _, err := asn1.Unmarshal(key.Encryption.Parameters.FullBytes, &scheme); err != nil {
		return 0
	}
	if _, err := asn1.Unmarshal(scheme.KeyDerivation.Parameters.FullBytes, &scrypt); err != nil {
		return 0
	}
	if max(scrypt.BlockSize, scrypt.Cost, scrypt.Parallelism) > maxScrypt {
		return math.MaxInt64
	}
	return 128 * scrypt.BlockSize * (scrypt.Cost + scrypt.Parallelism)
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
