package clientcredential

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math"
	"regexp"
	"strings"

	"github.com/youmark/pkcs8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

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
