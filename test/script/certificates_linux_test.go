package script

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// An encryptedKey is a private key in PKCS#8 that is encrypted as the parameters say. (RFC 8018, appendix A.4.)
type encryptedKey struct {
	Algorithm struct {
		ID     asn1.ObjectIdentifier
		Scheme struct{ KeyDerivation, Cipher derivation }
	}
	Data []byte
}

type derivation struct {
	ID         asn1.ObjectIdentifier
	Parameters asn1.RawValue
}

// Algorithms that a file may name.
var (
	pbes2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	pbkdf2    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	scrypt    = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	aes256CBC = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
	aes256GCM = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 46}
)

// keyOf returns a file with a key that claims these parameters.
func keyOf(kdf asn1.ObjectIdentifier, parameters any, cipher asn1.ObjectIdentifier, iv, data int) []byte {
	raw := func(value any) (r asn1.RawValue) { return asn1.RawValue{FullBytes: mustEncode(value)} }
	var key encryptedKey
	key.Algorithm.ID, key.Data = pbes2, make([]byte, data)
	key.Algorithm.Scheme.KeyDerivation = derivation{kdf, raw(parameters)}
	key.Algorithm.Scheme.Cipher = derivation{cipher, raw(make([]byte, iv))}
	return pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: mustEncode(key)})
}

func mustEncode(value any) []byte {
	der, err := asn1.Marshal(value)
	if err != nil {
		panic(err)
	}
	return der
}

type pbkdf2Parameters struct {
	Salt   []byte
	Rounds int
}

type scryptParameters struct {
	Salt                         []byte
	Cost, BlockSize, Parallelism *big.Int
}

// craftedCertificates are files with lengths and counts that no program writes.
func craftedCertificates(t *testing.T) map[string][]byte {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "app"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := x509.ParseCertificate(der)
	pfx, err := pkcs12.Modern2023.WithIterations(2).Encode(key, cert, nil, "password")
	if err != nil {
		t.Fatal(err)
	}
	salt := make([]byte, 16)
	n := func(bits uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), bits) }
	scryptOf := func(cost, block, parallel *big.Int) []byte {
		return keyOf(scrypt, scryptParameters{salt, cost, block, parallel}, aes256GCM, 12, 64)
	}
	files := map[string][]byte{
		"PBKDF2, rounds":   keyOf(pbkdf2, pbkdf2Parameters{salt, 1<<31 - 1}, aes256CBC, 16, 64),
		"PBKDF2, negative": keyOf(pbkdf2, pbkdf2Parameters{salt, -1}, aes256CBC, 16, 64),
		"PBKDF2, key length": keyOf(pbkdf2, struct {
			S    []byte
			N, L int
		}{salt, 1, 1<<31 - 1}, aes256CBC, 16, 64),
		"CBC, block":             keyOf(pbkdf2, pbkdf2Parameters{salt, 1}, aes256CBC, 16, 63),
		"CBC, IV":                keyOf(pbkdf2, pbkdf2Parameters{salt, 1}, aes256CBC, 1, 64),
		"CBC, nothing":           keyOf(pbkdf2, pbkdf2Parameters{salt, 1}, aes256CBC, 0, 0),
		"GCM, nonce":             keyOf(pbkdf2, pbkdf2Parameters{salt, 1}, aes256GCM, 100000, 64),
		"GCM, nothing":           keyOf(pbkdf2, pbkdf2Parameters{salt, 1}, aes256GCM, 0, 0),
		"scrypt, cost":           scryptOf(n(30), n(3), n(0)),
		"scrypt, just too much":  scryptOf(n(18), n(3), n(0)),
		"scrypt, block size":     scryptOf(n(1), n(28), n(0)),
		"scrypt, parallelism":    scryptOf(n(4), n(3), n(26)),
		"scrypt, all":            scryptOf(n(20), n(10), n(19)),
		"scrypt, negative":       scryptOf(big.NewInt(-2), big.NewInt(-8), big.NewInt(-1)),
		"scrypt, beyond 64 bits": scryptOf(n(70), n(3), n(0)),
		"scrypt, long key length": keyOf(scrypt, struct {
			S       []byte
			N, R, P int
			L       *big.Int
		}{salt, 1 << 22, 8, 1, n(70)}, aes256GCM, 12, 64),
		"PKCS#12, half":          pfx[:len(pfx)/2],
		"PKCS#12, rounds":        withRounds(t, pfx, 1<<31-1),
		"PKCS#12, negative":      withRounds(t, pfx, -1),
		"PEM, many blocks":       bytes.Repeat([]byte("-----BEGIN "), 90000),
		"PEM, many certificates": bytes.Repeat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 900),
	}
	for _, at := range []int{1, 2, 3, 5, 9, 20, 40} {
		for _, length := range []byte{0x80, 0x84, 0x88, 0xff} {
			bent := slices.Clone(pfx)
			bent[at] = length
			files[fmt.Sprintf("PKCS#12, byte %d is %x", at, length)] = bent
		}
	}
	return files
}

// withRounds replaces how often PKCS#12 hashes its password for the MAC. (RFC 7292, section 4.)
func withRounds(t *testing.T, pfx []byte, rounds int) []byte {
	var file struct {
		Version int
		Safe    asn1.RawValue
		MAC     struct {
			Digest asn1.RawValue
			Salt   []byte
			Rounds int
		}
	}
	if _, err := asn1.Unmarshal(pfx, &file); err != nil {
		t.Fatal(err)
	}
	file.MAC.Rounds = rounds
	return mustEncode(file)
}

// maxMemory is how much the program may use for a certificate, in KB.
const maxMemory = 300 << 10

// TestCertificates_crafted gives every command that reads a certificate files with crafted lengths and counts. Each fails
// with one line, in time and without much memory.
func TestCertificates_crafted(t *testing.T) {
	if testing.Short() {
		t.Skip("some files take seconds")
	}
	cloud := azuretest.Start(t)
	cloud.AddRegistry("contoso.azurecr.io", cloud.AddTenant(tenantID, "contoso.example"))
	dir := t.TempDir()
	if err := cloud.WriteCA(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	files := craftedCertificates(t)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "certificate")
			for file, content := range map[string][]byte{path: files[name], path + ".password": []byte("password")} {
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			commands := [][]string{{"get"}}
			if !strings.Contains(name, "byte ") {
				commands = append(commands, []string{"doctor", "contoso.azurecr.io", "--json"}, []string{
					"login", "contoso.azurecr.io", "--certificate", path, "--client-id", clientID, "--tenant", tenantID,
					"--secret-file", path + ".password",
				})
			}
			for _, args := range commands {
				runCrafted(t, cloud, dir, path, args)
			}
		})
	}
}

// runCrafted runs a command in the surroundings of the crafted file.
func runCrafted(t *testing.T, cloud *azuretest.Cloud, dir, path string, args []string) {
	t.Helper()
	const longest = time.Minute // of a busy computer
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	home := filepath.Dir(path)
	cmd := exec.CommandContext(ctx, "docker-credential-acr", args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "DOCKER_CREDENTIAL_ACR_HOME=" + home + "/acr",
		"DOCKER_CREDENTIAL_ACR_KEYRING=file", "CLOUD_ADDR=" + cloud.Addr(), "CLOUD_CA=" + filepath.Join(dir, "ca.pem"),
		"TRANSCRIPT=" + filepath.Join(home, "transcript"), "AZURE_CLIENT_ID=" + clientID, "AZURE_TENANT_ID=" + tenantID,
		"AZURE_CLIENT_CERTIFICATE_PATH=" + path, "AZURE_CLIENT_CERTIFICATE_PASSWORD=password",
	}
	cmd.Stdin = strings.NewReader("contoso.azurecr.io")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	switch used := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; {
	case ctx.Err() != nil:
		t.Errorf("%s does not end", args[0])
	case err == nil:
		t.Errorf("%s succeeds: %s", args[0], &stdout)
	case strings.Contains(stderr.String(), "goroutine ") || strings.Count(stderr.String(), "\n") > 1:
		t.Errorf("%s: %.2000s", args[0], &stderr)
	case args[0] == "doctor" && !json.Valid(stdout.Bytes()):
		t.Errorf("doctor: %s", &stdout)
	case used > maxMemory:
		t.Errorf("%s uses %d MB", args[0], used>>10)
	}
}
