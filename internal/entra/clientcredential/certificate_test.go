package clientcredential

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const password = "correct horse"

// testKeys are made once, and shorter than real ones, because RSA keys take long to make.
var testKeys = sync.OnceValue(func() (keys [3]*rsa.PrivateKey) {
	for i := range keys {
		keys[i] = must(rsa.GenerateKey(rand.Reader, 1024))
	}
	return keys
})

// certify issues a certificate that begins an hour ago; without a parent it signs itself.
func certify(
	name string, until time.Time, public crypto.PublicKey, parent *x509.Certificate, signer crypto.Signer,
) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		IsCA: strings.HasSuffix(name, "authority"), NotBefore: time.Now().Add(-time.Hour), NotAfter: until,
	}
	if parent == nil {
		parent = template
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, parent, public, signer))))
}

// A hierarchy is a certificate with its key, its issuer, and that one's issuer.
type hierarchy struct {
	key                *rsa.PrivateKey
	leaf, middle, root *x509.Certificate
}

func newHierarchy() hierarchy {
	keys, until := testKeys(), time.Now().Add(time.Hour)
	h := hierarchy{key: keys[0]}
	h.root = certify("root authority", until, keys[2].Public(), nil, keys[2])
	h.middle = certify("middle authority", until, keys[1].Public(), h.root, keys[2])
	h.leaf = certify("app.contoso.com", until, h.key.Public(), h.middle, keys[1])
	return h
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func keyPEM(key any) string { return block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key))) }

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
	der := x509.MarshalPKCS1PrivateKey(key)
	//lint:ignore SA1019 such files exist
	b := must(x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", der, []byte(password), cipher))
	return string(pem.EncodeToMemory(b))
}

func loadText(content, password string) (*Certificate, error) {
	return LoadCertificate(context.Background(), identity.Certificate{Content: secret.New(content), Password: secret.New(password)})
}

// inLines returns base64 as the command of this name writes it.
func inLines(content string) string {
	encoded := base64.StdEncoding.EncodeToString([]byte(content))
	var lines strings.Builder
	for len(encoded) > 76 {
		lines.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	return lines.String() + encoded + "\r\n"
}

// TestLoadCertificate also checks that Certificate.PEM returns a file that can be loaded again.
func TestLoadCertificate(t *testing.T) {
	h := newHierarchy()
	certs := certPEM(h.leaf, h.middle, h.root)
	key8 := keyPEM(h.key)
	key1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(h.key))
	pfx := func(e *pkcs12.Encoder, password string) string {
		return string(must(e.Encode(h.key, h.leaf, []*x509.Certificate{h.root, h.middle}, password)))
	}
	gcm := &pkcs8.Opts{Cipher: pkcs8.AES256GCM, KDFOpts: pkcs8.ScryptOpts{
		SaltSize: 16, CostParameter: 1 << 4, BlockSize: 8, ParallelizationParameter: 1,
	}}
	for _, row := range []struct{ what, content, password string }{
		{"PKCS#8", key8 + certs, ""},
		{"PKCS#1", key1 + certs, ""},
		{"a password that isn't needed", key8 + certs, password},
		{"the key last, the chain in reverse", certPEM(h.root, h.middle, h.leaf) + key8, ""},
		{"the key in between", certPEM(h.middle) + key1 + certPEM(h.root, h.leaf), ""},
		{"openssl's comments", "Bag Attributes\n    localKeyID: 01\n" + key8 + "subject=CN = app\n\n" + certs, ""},
		{"byte order mark and line ends of Windows", "\xef\xbb\xbf" + strings.ReplaceAll(key8+certs, "\n", "\r\n"), ""},
		{"base64 of PEM", base64.StdEncoding.EncodeToString([]byte(key8 + certs)), ""},
		{"base64 of PKCS#12, as Key Vault has it", base64.StdEncoding.EncodeToString([]byte(pfx(pkcs12.Passwordless, ""))), ""},
		{"base64 in lines, with a password", inLines(pfx(pkcs12.Modern2023, password)), password},
		{"another block", block("DH PARAMETERS", []byte{1}) + key8 + certs, ""},
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
			got := must(loadText(row.content, row.password))
			h.check(t, got)
			h.check(t, must(loadText(must(got.PEM()).Reveal(), "")))
		})
	}
}

func (h hierarchy) check(t *testing.T, got *Certificate) {
	t.Helper()
	if !got.Key.Equal(h.key) || len(got.Chain) != 3 || !got.Chain[0].Equal(h.leaf) ||
		!got.Chain[1].Equal(h.middle) || !got.Chain[2].Equal(h.root) {
		t.Errorf("key or chain differ: %d certificates", len(got.Chain))
	}
}

func TestLoadCertificate_leaves_out_certificates_outside_the_chain(t *testing.T) {
	h := newHierarchy()
	keys, until := testKeys(), time.Now().Add(time.Hour)
	namesake := certify("middle authority", until, keys[2].Public(), h.root, keys[2]) // with another key
	other := certify("other", until, keys[1].Public(), nil, keys[1])
	got, err := loadText(keyPEM(h.key)+certPEM(other, namesake, h.middle, h.leaf), "")
	if err != nil || len(got.Chain) != 2 || !got.Chain[1].Equal(h.middle) {
		t.Errorf("%v %v", got, err)
	}
}

func TestLoadCertificate_selects_the_newest_certificate_of_the_key(t *testing.T) {
	h := newHierarchy()
	renewed := certify("app.contoso.com", h.leaf.NotAfter.Add(time.Second), h.key.Public(), nil, h.key)
	for _, certs := range []string{certPEM(h.leaf, renewed), certPEM(renewed, h.leaf)} {
		got, err := loadText(keyPEM(h.key)+certs, "")
		if err != nil || !got.Chain[0].Equal(renewed) {
			t.Errorf("%v %v", got, err)
		}
	}
}

func TestLoadCertificate_refuses(t *testing.T) {
	h := newHierarchy()
	certs := certPEM(h.leaf, h.middle)
	key := keyPEM(h.key)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ecCert := certify("ec", time.Now().Add(time.Hour), ec.Public(), nil, ec)
	ecKey := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(ec)))
	ecPFX := string(must(pkcs12.Modern2023.Encode(ec, ecCert, nil, "")))
	pfx := string(must(pkcs12.Modern2023.Encode(h.key, h.leaf, nil, password)))
	pbmac := string(must(pkcs12.Modern2026.Encode(h.key, h.leaf, nil, password)))
	trustStore := string(must(pkcs12.Modern2023.EncodeTrustStore([]*x509.Certificate{h.leaf}, password)))
	half := block("ENCRYPTED PRIVATE KEY", shorten(must(pkcs8.MarshalPrivateKey(h.key, []byte(password), nil))))
	junk := block("CERTIFICATE", []byte{1, 2})
	const (
		none          = "the certificate's private key is encrypted, and no password is set"
		wrong         = "the password of the certificate's private key is wrong"
		rsaOnly       = "the private key is not an RSA key, and Microsoft Entra ID accepts RSA keys only"
		noKey         = "the certificate file has no private key"
		notSupported  = "the private key's encryption is not supported; use PBES2"
		twoCharacters = `the certificate file has "\n" as two characters instead of line breaks`
		noLines       = "the certificate file has lost its line breaks"
		spaces        = "the lines of the certificate file begin with spaces"
		neither       = "the certificate file is neither PEM nor PKCS#12"
	)
	for _, row := range []struct{ what, content, password, sentence string }{
		{"nothing", " \n", "", "the certificate file is empty"},
		{"garbage", "hello", "", neither},
		{"no key", certs, "", noKey},
		{"no certificate", key, "", "the certificate file has no certificate"},
		{"two keys", key + key + certs, "", "the certificate file has more than one private key"},
		{"another key's certificate", key + certPEM(h.root), "", "the certificate does not belong to the private key"},
		{"a damaged certificate", key + junk, "", "a certificate in the certificate file is damaged"},
		{"a damaged key", block("PRIVATE KEY", []byte{1, 2}) + certs, "", "the private key is damaged"},
		{"an EC key", ecKey + certPEM(ecCert), "", rsaOnly},
		{"an EC key in PKCS#8", keyPEM(ec) + certPEM(ecCert), "", rsaOnly},
		{"an EC key in PKCS#12", ecPFX, "", rsaOnly},
		{"no password", encryptedPKCS8(h.key, nil) + certs, "", none},
		{"a wrong password", encryptedPKCS8(h.key, nil) + certs, "wr0ng", wrong},
		{"no password, older", legacyPEM(h.key, x509.PEMCipherAES128) + certs, "", none},
		{"a wrong password, older", legacyPEM(h.key, x509.PEMCipherAES128) + certs, "wr0ng", wrong},
		{"no password, PKCS#12", pfx, "", none},
		{"a wrong password, PKCS#12", pfx, "wr0ng", wrong},
		{"a wrong password, PBMAC1", pbmac, "wr0ng", wrong},
		{"another encryption", block("ENCRYPTED PRIVATE KEY", []byte{0x30, 0}) + certs, password, notSupported},
		{`"\n" for line breaks`, strings.ReplaceAll(key+certs, "\n", `\n`), "", twoCharacters},
		{`"\r\n" for line breaks`, strings.ReplaceAll(key+certs, "\n", `\r\n`), "", twoCharacters},
		{"the key alone with them", strings.ReplaceAll(key, "\n", `\n`) + certs, "", twoCharacters},
		{"in base64", base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(key+certs, "\n", `\n`))), "", twoCharacters},
		{"spaces for line breaks", strings.ReplaceAll(key+certs, "\n", " "), "", noLines},
		{"indented, as in YAML", strings.ReplaceAll(key+certs, "\n", "\n    "), "", spaces},
		{"in quotes", `"` + key + certs + `"`, "", `the certificate file has something before "-----" in a line`},
		{"no line breaks", strings.ReplaceAll(key+certs, "\n", ""), "", noLines},
		{"UTF-16", "\xff\xfe-\x00-\x00", "", "the certificate file can't be read: it is UTF-16 text; save it as UTF-8"},
		{"half a key", half + certs, password, "the certificate file is damaged"},
		{"half a file", pfx[:len(pfx)/2], password, neither},
		{"PKCS#12 without a key", trustStore, password, noKey},
	} {
		t.Run(row.what, func(t *testing.T) {
			code := fault.Certificate
			if row.sentence == none || row.sentence == wrong {
				code = fault.CertificatePassword
			}
			if _, err := loadText(row.content, row.password); fault.CodeOf(err) != code || err.Error() != row.sentence {
				t.Errorf("%s: %v", fault.CodeOf(err), err)
			}
		})
	}
}

// shorten removes the last 8 bytes of the ciphertext that ends an EncryptedPrivateKeyInfo, and corrects the lengths, so
// that the ciphertext is no longer a number of whole blocks.
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

// TestLoadCertificate_refuses_damaged_files shortens files: every error has a code, and so a sentence of ours.
func TestLoadCertificate_refuses_damaged_files(t *testing.T) {
	h := newHierarchy()
	for _, whole := range [][]byte{
		must(pkcs12.Passwordless.Encode(h.key, h.leaf, nil, "")),
		must(pkcs12.LegacyDES.Encode(h.key, h.leaf, nil, password)),
		must(pkcs8.MarshalPrivateKey(h.key, []byte(password), nil)),
	} {
		for n := 1; n < len(whole); n += 41 {
			part := whole[:n]
			for _, content := range []string{string(part), block("ENCRYPTED PRIVATE KEY", part), block("PRIVATE KEY", part)} {
				if _, err := loadText(content, password); fault.CodeOf(err) == "" {
					t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
				}
			}
		}
	}
}

func TestCertificate_checkDates(t *testing.T) {
	h := newHierarchy()
	cert := &Certificate{Chain: []*x509.Certificate{h.leaf}, Key: h.key}
	const layout = "2006-01-02 15:04 MST"
	for _, row := range []struct {
		after    time.Duration
		sentence string
	}{
		{0, ""},
		{-time.Hour - 4*time.Minute, ""}, // a clock that is a little slow
		{-2 * time.Hour, "the certificate is not valid before " + h.leaf.NotBefore.UTC().Format(layout)},
		{2 * time.Hour, "the certificate expired on " + h.leaf.NotAfter.UTC().Format(layout)},
	} {
		err := cert.checkDates(time.Now().Add(row.after))
		if (err == nil) != (row.sentence == "") ||
			err != nil && (!fault.Is(err, fault.CertificateOutdated) || err.Error() != row.sentence) {
			t.Errorf("after %v: %v", row.after, err)
		}
	}
}

// TestScryptMemory has keys whose file says how much memory its decryption takes. The large one is never decrypted.
func TestScryptMemory(t *testing.T) {
	h := newHierarchy()
	options := func(cost int) *pkcs8.Opts {
		return &pkcs8.Opts{Cipher: pkcs8.AES256GCM, KDFOpts: pkcs8.ScryptOpts{
			SaltSize: 16, CostParameter: cost, BlockSize: 8, ParallelizationParameter: 1,
		}}
	}
	small := must(pkcs8.MarshalPrivateKey(h.key, []byte(password), options(1<<10)))
	if got := scryptMemory(small); got != 1<<20+1<<10 { // and the parallelism
		t.Errorf("%d bytes", got)
	}
	large := bytes.Replace(small, []byte{2, 2, 4, 0}, []byte{2, 2, 0x7f, 0xff}, 1) // the cost
	large = bytes.Replace(large, []byte{2, 1, 8}, []byte{2, 1, 0x7f}, 1)           // the block size
	if got := scryptMemory(large); got < maxScrypt {
		t.Fatalf("%d bytes", got)
	}
	_, err := loadText(block("ENCRYPTED PRIVATE KEY", large)+certPEM(h.leaf), password)
	if !fault.Is(err, fault.Certificate) || !strings.Contains(err.Error(), "memory") {
		t.Error(err)
	}
	plain := must(pkcs8.MarshalPrivateKey(h.key, []byte(password), nil))
	if got := scryptMemory(plain); got != 0 && got > maxScrypt {
		t.Errorf("PBKDF2: %d bytes", got)
	}
}
