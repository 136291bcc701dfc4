package assertion

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const password = "correct horse"

// testKeys are made once, because RSA keys are slow to make.
var testKeys = sync.OnceValue(func() [3]*rsa.PrivateKey {
	var keys [3]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// certify issues a certificate; without a parent it signs itself.
func certify(t *testing.T, name string, public crypto.PublicKey, parent *x509.Certificate, signer crypto.Signer) *x509.Certificate {
	t.Helper()
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, IsCA: strings.HasSuffix(name, "authority"), BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// A hierarchy is a leaf, who signed it, and who signed that one.
type hierarchy struct {
	key                *rsa.PrivateKey
	leaf, middle, root *x509.Certificate
}

func newHierarchy(t *testing.T) hierarchy {
	keys := testKeys()
	h := hierarchy{key: keys[0]}
	h.root = certify(t, "root authority", keys[2].Public(), nil, keys[2])
	h.middle = certify(t, "middle authority", keys[1].Public(), h.root, keys[2])
	h.leaf = certify(t, "app.contoso.com", h.key.Public(), h.middle, keys[1])
	return h
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func certPEM(certs ...*x509.Certificate) string {
	var out strings.Builder
	for _, c := range certs {
		out.WriteString(block("CERTIFICATE", c.Raw))
	}
	return out.String()
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func encryptedPKCS8(key any, opts *pkcs8.Opts) string {
	return block("ENCRYPTED PRIVATE KEY", must(pkcs8.MarshalPrivateKey(key, []byte(password), opts)))
}

func legacyPEM(key *rsa.PrivateKey, cipher x509.PEMCipher) string {
	//lint:ignore SA1019 such files exist
	b := must(x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), []byte(password), cipher))
	return string(pem.EncodeToMemory(b))
}

func TestCertificateFiles(t *testing.T) {
	h := newHierarchy(t)
	certs := certPEM(h.leaf, h.middle, h.root)
	key8 := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(h.key)))
	key1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(h.key))
	pfx := func(e *pkcs12.Encoder, password string) string {
		return string(must(e.Encode(h.key, h.leaf, []*x509.Certificate{h.root, h.middle}, password)))
	}
	gcm := &pkcs8.Opts{Cipher: pkcs8.AES256GCM, KDFOpts: pkcs8.ScryptOpts{SaltSize: 16, CostParameter: 1 << 4, BlockSize: 8, ParallelizationParameter: 1}}
	for _, row := range []struct{ what, content, password string }{
		{"PKCS#8", key8 + certs, ""},
		{"PKCS#1", key1 + certs, ""},
		{"a password that isn't needed", key8 + certs, password},
		{"the key last, the chain upside down", certPEM(h.root, h.middle, h.leaf) + key8, ""},
		{"the key in between", certPEM(h.middle) + key1 + certPEM(h.root, h.leaf), ""},
		{"openssl's comments", "Bag Attributes\n    localKeyID: 01\n" + key8 + "subject=CN = app\n\n" + certs, ""},
		{"Windows' line ends and mark", "\xef\xbb\xbf" + strings.ReplaceAll(key8+certs, "\n", "\r\n"), ""},
		{"parameters beside", block("DH PARAMETERS", []byte{1}) + key8 + certs, ""},
		{"PBES2", encryptedPKCS8(h.key, nil) + certs, password},
		{"PBES2 with scrypt and GCM", encryptedPKCS8(h.key, gcm) + certs, password},
		{"an older encryption, AES", legacyPEM(h.key, x509.PEMCipherAES256) + certs, password},
		{"an older encryption, 3DES", legacyPEM(h.key, x509.PEMCipher3DES) + certs, password},
		{"PKCS#12, AES and SHA-256", pfx(pkcs12.Modern2023, password), password},
		{"PKCS#12, PBMAC1", pfx(pkcs12.Modern2026, password), password},
		{"PKCS#12, 3DES", pfx(pkcs12.LegacyDES, password), password},
		{"PKCS#12, RC2", pfx(pkcs12.LegacyRC2, password), password},
		{"PKCS#12, an empty password", pfx(pkcs12.Modern2023, ""), ""},
		{"PKCS#12, no encryption", pfx(pkcs12.Passwordless, ""), ""},
		{"PKCS#12, a password that isn't needed", pfx(pkcs12.Passwordless, ""), password},
	} {
		t.Run(row.what, func(t *testing.T) {
			got, err := LoadCertificate(identity.Certificate{Content: secret.New(row.content), Password: secret.New(row.password)})
			if err != nil {
				t.Fatal(err)
			}
			checkHierarchy(t, got, h)
			again, err := got.PEM()
			if err != nil {
				t.Fatal(err)
			}
			got, err = LoadCertificate(identity.Certificate{Content: again})
			if err != nil {
				t.Fatal(err)
			}
			checkHierarchy(t, got, h)
		})
	}
}

func checkHierarchy(t *testing.T, got *Certificate, want hierarchy) {
	t.Helper()
	if !got.Key.Equal(want.key) || len(got.Chain) != 3 || !got.Leaf().Equal(want.leaf) || !got.Chain[1].Equal(want.middle) || !got.Chain[2].Equal(want.root) {
		t.Errorf("key or chain differ: %d certificates", len(got.Chain))
	}
}

func TestStrangersAreNotPartOfTheChain(t *testing.T) {
	h := newHierarchy(t)
	keys := testKeys()
	namesake := certify(t, "middle authority", keys[2].Public(), h.root, keys[2]) // another key
	alone := certify(t, "stranger", keys[1].Public(), nil, keys[1])
	content := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(h.key))) + certPEM(alone, namesake, h.middle, h.leaf)
	got, err := LoadCertificate(identity.Certificate{Content: secret.New(content)})
	if err != nil || len(got.Chain) != 2 || !got.Chain[1].Equal(h.middle) {
		t.Errorf("%v %v", got, err)
	}
}

func TestUnusableCertificateFiles(t *testing.T) {
	h := newHierarchy(t)
	certs := certPEM(h.leaf, h.middle)
	key := block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(h.key)))
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecCert := certify(t, "ec", ec.Public(), nil, ec)
	pfx := must(pkcs12.Modern2023.Encode(h.key, h.leaf, nil, password))
	encrypted := must(pkcs8.MarshalPrivateKey(h.key, []byte(password), nil))
	const none, wrong = "the certificate's private key is encrypted, and there is no password for it", "the password of the certificate's private key is wrong"
	const rsaOnly = "the private key is not an RSA key, and Microsoft Entra takes RSA keys only"
	for _, row := range []struct{ what, content, password, sentence, code string }{
		{"nothing", " \n", "", "the certificate file is empty", CodeCertificate},
		{"garbage", "hello", "", "the certificate file is neither PEM nor PKCS#12", CodeCertificate},
		{"no key", certs, "", "the certificate file holds no private key", CodeCertificate},
		{"no certificate", key, "", "the certificate file holds no certificate", CodeCertificate},
		{"two keys", key + key + certs, "", "the certificate file holds more than one private key", CodeCertificate},
		{"another's certificate", key + certPEM(h.root), "", "the certificate does not belong to the private key", CodeCertificate},
		{"a damaged certificate", key + block("CERTIFICATE", []byte{1, 2}), "", "a certificate in the certificate file is damaged", CodeCertificate},
		{"a damaged key", block("PRIVATE KEY", []byte{1, 2}) + certs, "", "the private key is damaged", CodeCertificate},
		{"an EC key", block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec))) + certPEM(ecCert), "", rsaOnly, CodeCertificate},
		{"an EC key in PKCS#8", block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ec))) + certPEM(ecCert), "", rsaOnly, CodeCertificate},
		{"an EC key in PKCS#12", string(must(pkcs12.Modern2023.Encode(ec, ecCert, nil, ""))), "", rsaOnly, CodeCertificate},
		{"no password", encryptedPKCS8(h.key, nil) + certs, "", none, CodePassword},
		{"a wrong password", encryptedPKCS8(h.key, nil) + certs, "wr0ng", wrong, CodePassword},
		{"no password, older", legacyPEM(h.key, x509.PEMCipherAES128) + certs, "", none, CodePassword},
		{"a wrong password, older", legacyPEM(h.key, x509.PEMCipherAES128) + certs, "wr0ng", wrong, CodePassword},
		{"no password, PKCS#12", string(pfx), "", none, CodePassword},
		{"a wrong password, PKCS#12", string(pfx), "wr0ng", wrong, CodePassword},
		{"a wrong password, PBMAC1", string(must(pkcs12.Modern2026.Encode(h.key, h.leaf, nil, password))), "wr0ng", wrong, CodePassword},
		{"another encryption", block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}) + certs, password, "the private key is encrypted in a way that can't be read; PBES2 can be", CodeCertificate},
		{"half a key", block("ENCRYPTED PRIVATE KEY", shorten(encrypted)) + certs, password, "the certificate file is damaged", CodeCertificate},
		{"half a file", string(pfx[:len(pfx)/2]), password, "the certificate file is neither PEM nor PKCS#12", CodeCertificate},
		{"certificates alone in PKCS#12", string(must(pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{h.leaf}, password))), password, "the certificate file holds no private key", CodeCertificate},
	} {
		t.Run(row.what, func(t *testing.T) {
			_, err := LoadCertificate(identity.Certificate{Content: secret.New(row.content), Password: secret.New(row.password)})
			var failed *Error
			if !errors.As(err, &failed) || failed.Code() != row.code || err.Error() != row.sentence {
				t.Errorf("%v", err)
			}
		})
	}
}

// shorten takes 8 bytes off the ciphertext that ends an EncryptedPrivateKeyInfo,
// lengths included: the block's size no longer divides it.
func shorten(der []byte) []byte {
	out := bytes.Clone(der[:len(der)-8])
	end := len(out)
	for i := 0; i+4 < end; i++ { // every tag with a two-byte length that reached the old end
		if out[i+1] == 0x82 && i+4+int(out[i+2])<<8+int(out[i+3]) == len(der) {
			n := end - i - 4
			out[i+2], out[i+3] = byte(n>>8), byte(n)
		}
	}
	return out
}

func TestDatesOfACertificate(t *testing.T) {
	h := newHierarchy(t)
	cert := &Certificate{Chain: []*x509.Certificate{h.leaf}, Key: h.key}
	for _, row := range []struct {
		after    time.Duration
		sentence string
	}{
		{0, ""},
		{-time.Hour - 4*time.Minute, ""}, // a clock that is a little slow
		{-2 * time.Hour, "the certificate is not valid before " + h.leaf.NotBefore.UTC().Format("2006-01-02 15:04 MST")},
		{2 * time.Hour, "the certificate expired on " + h.leaf.NotAfter.UTC().Format("2006-01-02 15:04 MST")},
	} {
		err := cert.Valid(time.Now().Add(row.after))
		if text := errorText(err); text != row.sentence {
			t.Errorf("after %v: %q", row.after, text)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestARenewedCertificate: of two certificates for one key the newer counts.
func TestARenewedCertificate(t *testing.T) {
	h := newHierarchy(t)
	time.Sleep(time.Until(h.leaf.NotAfter.Add(-time.Hour + time.Second))) // certificates count in seconds
	renewed := certify(t, "app.contoso.com", h.key.Public(), nil, h.key)
	for _, certs := range []string{certPEM(h.leaf, renewed), certPEM(renewed, h.leaf)} {
		got, err := LoadCertificate(identity.Certificate{Content: secret.New(block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(h.key))) + certs)})
		if err != nil || !got.Leaf().Equal(renewed) {
			t.Errorf("%v %v", got, err)
		}
	}
}

// TestDamagedFiles: whatever is left of a file is an error in our words.
func TestDamagedFiles(t *testing.T) {
	h := newHierarchy(t)
	for _, whole := range [][]byte{
		must(pkcs12.Passwordless.Encode(h.key, h.leaf, nil, "")),
		must(pkcs12.LegacyDES.Encode(h.key, h.leaf, nil, password)),
		must(pkcs8.MarshalPrivateKey(h.key, []byte(password), nil)),
	} {
		for n := 1; n < len(whole); n += 41 {
			for _, content := range []string{string(whole[:n]), block("ENCRYPTED PRIVATE KEY", whole[:n]), block("PRIVATE KEY", whole[:n])} {
				_, err := LoadCertificate(identity.Certificate{Content: secret.New(content), Password: secret.New(password)})
				var failed *Error
				if !errors.As(err, &failed) {
					t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
				}
			}
		}
	}
}
