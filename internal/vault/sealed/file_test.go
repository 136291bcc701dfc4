package sealed_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

// testKey sealed testdata/v1.login under the name v1Name.
var testKey = bytes.Repeat([]byte{7}, 32)

const v1Name = "d4f891d86f03c76cc307a61bad01515f661c0af1.login"

// TestVersion1IsReadForEver opens a file as version 1 of the format was first
// written. It must pass unchanged for as long as there is a reader.
func TestVersion1IsReadForEver(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "v1.login"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := sealed.Parse(v1Name, content)
	if err != nil {
		t.Fatal(err)
	}
	want := sealed.Header{
		Login: identity.Login{
			Server: "contoso.azurecr.io", Kind: identity.ServicePrincipal, Tenant: "tenant", ClientID: "client", Fingerprint: "fingerprint",
		},
		Issued: time.Unix(1_800_000_000, 0).UTC(),
	}
	if f.Header != want {
		t.Errorf("header %+v", f.Header)
	}
	if plain, err := f.Unseal(testKey); err != nil || string(plain) != "the secret" {
		t.Errorf("%q, %v", plain, err)
	}
}

func TestNoEntryPassesForAnother(t *testing.T) {
	h := sealed.Header{Login: identity.Login{Server: "contoso.azurecr.io"}}
	content, err := sealed.Seal(h, "a.token", testKey, []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	open := func(name string, content, key []byte) error {
		f, err := sealed.Parse(name, content)
		if err != nil {
			return err
		}
		_, err = f.Unseal(key)
		return err
	}
	if err := open("a.token", content, testKey); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		what, name string
		content    []byte
		key        []byte
	}{
		{"under another name", "b.token", content, testKey},
		{"with another key", "a.token", content, bytes.Repeat([]byte{8}, 32)},
		{"with another host", "a.token", bytes.Replace(content, []byte("contoso"), []byte("fabriko"), 1), testKey},
		{"cut off", "a.token", content[:len(content)-1], testKey},
		{"without a body", "a.token", content[:bytes.LastIndexByte(content[:80], '\n')+1], testKey},
		{"empty", "a.token", nil, testKey},
		{"with a broken header", "a.token", bytes.Replace(content, []byte("{"), []byte("["), 1), testKey},
	} {
		if err := open(row.name, row.content, row.key); !errors.Is(err, sealed.ErrDamaged) {
			t.Errorf("an entry %s: %v", row.what, err)
		}
	}
}

// FuzzParse holds that whatever opens is what was sealed, to the letter.
func FuzzParse(f *testing.F) {
	content, err := os.ReadFile(filepath.Join("testdata", "v1.login"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(content)
	f.Add([]byte("docker-credential-acr vault 2\n"))
	f.Add([]byte("docker-credential-acr vault 1\n{}\n"))
	f.Fuzz(func(t *testing.T, mutated []byte) {
		parsed, err := sealed.Parse(v1Name, mutated)
		if err != nil {
			return
		}
		if plain, err := parsed.Unseal(testKey); err == nil && !bytes.Equal(mutated, content) {
			t.Errorf("%q opens to %q", mutated, plain)
		}
	})
}
