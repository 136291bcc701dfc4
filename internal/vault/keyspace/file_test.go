package keyspace_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// testKey sealed testdata/v1.login under the name v1Name.
var testKey = bytes.Repeat([]byte{7}, 32)

const v1Name = "d4f891d86f03c76cc307a61bad01515f661c0af1.login"

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// TestParse_version_1 opens a file as version 1 of the format was first written. It must always pass unchanged.
func TestParse_version_1(t *testing.T) {
	f, err := keyspace.Parse(v1Name, must(os.ReadFile(filepath.Join("testdata", "v1.login"))))
	want := keyspace.Header{
		Login: identity.Login{
			Server: "contoso.azurecr.io", Kind: identity.ServicePrincipal, Tenant: "tenant", ClientID: "client",
			Fingerprint: "fingerprint",
		},
		Issued: time.Unix(1_800_000_000, 0).UTC(),
	}
	if err != nil || f.Header != want {
		t.Errorf("header %+v, %v", f.Header, err)
	}
	if plain, err := f.Unseal(testKey); err != nil || plain.Reveal() != "the secret" {
		t.Errorf("%q, %v", plain.Reveal(), err)
	}
}

func TestFile_Unseal_opens_no_file_as_another(t *testing.T) {
	h := keyspace.Header{Login: identity.Login{Server: "contoso.azurecr.io"}}
	content := must(keyspace.Seal(h, "a.token", testKey, []byte("x")))
	for _, row := range []struct {
		what, name string
		content    []byte
		key        []byte
	}{
		{"unchanged", "a.token", content, testKey},
		{"with another name", "b.token", content, testKey},
		{"with another key", "a.token", content, bytes.Repeat([]byte{8}, 32)},
		{"with another host", "a.token", bytes.Replace(content, []byte("contoso"), []byte("fabriko"), 1), testKey},
		{"cut off", "a.token", content[:len(content)-1], testKey},
		{"without a body", "a.token", content[:bytes.LastIndexByte(content[:80], '\n')+1], testKey},
		{"empty", "a.token", nil, testKey},
		{"with a broken header", "a.token", bytes.Replace(content, []byte("{"), []byte("["), 1), testKey},
	} {
		f, err := keyspace.Parse(row.name, row.content)
		if err == nil {
			_, err = f.Unseal(row.key)
		}
		if fault.Is(err, fault.LoginDamaged) == (row.what == "unchanged") {
			t.Errorf("a file %s: %v", row.what, err)
		}
	}
}

// TestDir_Read_of_an_untrusted_file has one file for each error of safefile.ReadPrivate, whose own tests have more.
func TestDir_Read_of_an_untrusted_file(t *testing.T) {
	dir, space := filepath.Join(t.TempDir(), "vault"), keyspace.Name("os", testKey)
	path := func(name string) string { return filepath.Join(dir, space, name) }
	content := must(keyspace.Seal(keyspace.Header{}, "open", testKey, []byte("x")))
	err := errors.Join(os.MkdirAll(path("directory"), 0o700),
		os.WriteFile(path("long"), append(content, make([]byte, keyspace.MaxFile)...), 0o600),
		os.WriteFile(path("open"), content, 0o600), os.Chmod(path("open"), 0o640))
	if err != nil {
		t.Fatal(err)
	}
	d := must(keyspace.Open(dir))
	defer d.Close()
	for _, name := range []string{"directory", "long", "open"} {
		_, err := d.Read(space, name)
		if !fault.Is(err, fault.LoginDamaged) && (name != "open" || runtime.GOOS != "windows") { // which has no modes
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Read(space, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

// FuzzParse proves that only exactly what was sealed can be opened.
func FuzzParse(f *testing.F) {
	content := must(os.ReadFile(filepath.Join("testdata", "v1.login")))
	f.Add(content)
	f.Add([]byte("docker-credential-acr vault 2\n"))
	f.Add([]byte("docker-credential-acr vault 1\n{}\n"))
	f.Fuzz(func(t *testing.T, mutated []byte) {
		parsed, err := keyspace.Parse(v1Name, mutated)
		if err != nil {
			return
		}
		if plain, err := parsed.Unseal(testKey); err == nil && !bytes.Equal(mutated, content) {
			t.Errorf("%q opens to %q", mutated, plain.Reveal())
		}
	})
}

func TestLock_canceled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	unlock, err := keyspace.Lock(t.Context(), dir, "a", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keyspace.Lock(ctx, dir, "a", nil); fault.CodeOf(err) != fault.Busy || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
