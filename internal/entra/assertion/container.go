package assertion

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// fromPEM reads keys and certificates in any order (RFC 7468), and skips whatever
// else there is.
func fromPEM(content []byte, password secret.String) (*parts, error) {
	found := &parts{}
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		switch {
		case block.Type == "CERTIFICATE":
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, unusable("a certificate in the certificate file is damaged")
			}
			found.certs = append(found.certs, cert)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			key, err := openKey(block, password)
			if err != nil {
				return nil, err
			}
			found.keys = append(found.keys, key)
		}
	}
	return found, nil
}

// openKey knows a key by its block: PKCS#8, PKCS#1 or SEC 1; plain, encrypted by
// PKCS#5's PBES2, or in OpenSSL's older manner, of which the headers tell.
func openKey(block *pem.Block, password secret.String) (any, error) {
	der := block.Bytes
	legacy := x509.IsEncryptedPEMBlock(block) //lint:ignore SA1019 such files exist, and are only read
	if (legacy || block.Type == "ENCRYPTED PRIVATE KEY") && password.IsZero() {
		return nil, noPassword()
	}
	if block.Type == "ENCRYPTED PRIVATE KEY" {
		return openPKCS8(der, password)
	}
	if legacy {
		plain, err := x509.DecryptPEMBlock(block, []byte(password.Reveal())) //lint:ignore SA1019 such files exist, and are only read
		if err != nil {
			return nil, wrongPassword()
		}
		der = plain
	}
	key, err := parseKey(block.Type, der)
	switch {
	case err != nil && legacy: // the padding can look right by chance
		return nil, wrongPassword()
	case err != nil:
		return nil, unusable("the private key is damaged")
	}
	return key, nil
}

func parseKey(kind string, der []byte) (any, error) {
	switch kind {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(der)
	}
	return x509.ParsePKCS8PrivateKey(der)
}

// openPKCS8 takes every error but a statement about the algorithm for a wrong
// password: nothing else tells.
func openPKCS8(der []byte, password secret.String) (any, error) {
	key, _, err := pkcs8.ParsePrivateKey(der, []byte(password.Reveal()))
	switch {
	case err == nil:
		return key, nil
	case strings.HasPrefix(err.Error(), "pkcs8: ") && err.Error() != "pkcs8: incorrect password":
		return nil, unusable("the private key is encrypted in a way that can't be read; PBES2 can be")
	}
	return nil, wrongPassword()
}

// fromPKCS12 reads a .pfx or .p12 file (RFC 7292). A password that the file has no
// use for is no mistake.
func fromPKCS12(content []byte, password secret.String) (*parts, error) {
	key, leaf, others, err := pkcs12.DecodeChain(content, password.Reveal())
	if err != nil && !password.IsZero() {
		if k, l, o, plain := pkcs12.DecodeChain(content, ""); plain == nil {
			key, leaf, others, err = k, l, o, nil
		}
	}
	if err != nil {
		return nil, explainPKCS12(err, password)
	}
	return &parts{keys: []any{key}, certs: append([]*x509.Certificate{leaf}, others...)}, nil
}

// explainPKCS12 has to go by the library's texts where it has no values.
func explainPKCS12(err error, password secret.String) error {
	var unknown pkcs12.NotImplementedError
	switch text := err.Error(); {
	case (errors.Is(err, pkcs12.ErrIncorrectPassword) || errors.Is(err, pkcs12.ErrDecryption)) && password.IsZero():
		return noPassword()
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return wrongPassword()
	case errors.As(err, &unknown):
		return unusable("the certificate file is encrypted in a way that can't be read")
	case strings.HasSuffix(text, "private key missing"):
		return unusable("the certificate file holds no private key")
	case strings.HasSuffix(text, "certificate missing"):
		return unusable("the certificate file holds no certificate")
	case strings.HasSuffix(text, "exactly one key bag"):
		return unusable("the certificate file holds more than one private key")
	}
	return unusable("the certificate file is neither PEM nor PKCS#12")
}

func noPassword() error {
	return &Error{why: "the certificate's private key is encrypted, and there is no password for it", code: CodePassword}
}

func wrongPassword() error {
	return &Error{why: "the password of the certificate's private key is wrong", code: CodePassword}
}
