package dist

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"aead.dev/minisign"
)

// TestSign verifies the signature, because one that exists may still be of other bytes.
func TestSign(t *testing.T) {
	r := made(t).older // in which no other test needs SHA256SUMS
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := private.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run(string(r), "make", "sign", "KEY="+key); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(r.dist("SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := os.ReadFile(r.dist("SHA256SUMS.minisig"))
	if err != nil {
		t.Fatal(err)
	}
	if !minisign.Verify(public, content, signature) {
		t.Error("the signature doesn't verify")
	}
	content[0] ^= 1
	if minisign.Verify(public, content, signature) {
		t.Error("the signature of a changed file verifies")
	}
	other, _, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	content[0] ^= 1
	if minisign.Verify(other, content, signature) {
		t.Error("the signature verifies with another key")
	}
}
