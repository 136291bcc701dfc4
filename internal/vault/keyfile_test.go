package vault

import (
	"bytes"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/keystore"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// TestSession_planted_key_file: where the OS keyring has sealed anything, a key file seals nothing new, even while the OS
// keyring is locked or not at hand. What it sealed before can be read, and the user may demand it.
func TestSession_planted_key_file(t *testing.T) {
	planted := bytes.Repeat([]byte{7}, keystore.KeySize)
	v := newVault(t, keystore.File)
	v.keys.byName[keystore.File] = planted
	v.put(principal, "sealed by the key file")
	with := func(backends ...string) *fixture {
		k := newKeys(backends...)
		for _, b := range backends {
			if b == keystore.File {
				k.byName[b] = planted
			}
		}
		return v.with(k)
	}
	expectBackend := func(f *fixture, want string) {
		t.Helper()
		if got := keyspace.Backend(f.put(principal, "new").Keyspace); got != want {
			t.Errorf("%q: sealed by %s, want %s", f.keys.backends, got, want)
		}
	}
	expectBackend(with(keystore.File, keystore.Kernel), keystore.File) // chosen by the user: nothing is better here
	expectBackend(with(keystore.OS, keystore.File, keystore.Kernel), keystore.OS)

	locked := with(keystore.OS, keystore.File, keystore.Kernel)
	delete(locked.keys.byName, keystore.OS)
	expectBackend(locked, keystore.Kernel)
	expectBackend(with(keystore.File, keystore.Kernel), keystore.Kernel)
	with(keystore.File).get(appWith("x"), v.issue)
	if tokens := v.files("file-*/*.token"); len(tokens) > 0 {
		t.Errorf("a token is sealed by the key file: %q", tokens)
	}

	demanded := with(keystore.File)
	demanded.keys.demanded = true
	expectBackend(demanded, keystore.File)
	with(keystore.OS, keystore.File, keystore.Kernel).expectSecret(contoso, "new")
}
