package keystore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// uncontended is a lock that no other process wants.
func uncontended(context.Context) (unlock func(), err error) { return func() {}, nil }

func open(t *testing.T, s Settings) *Store {
	t.Helper()
	if s.Getenv == nil {
		s.Getenv = func(string) string { return "" }
	}
	return must(Open(s))
}

func TestOpen(t *testing.T) {
	auto := []string{"os"}
	if runtime.GOOS == "linux" {
		auto = []string{"os", "kernel"}
	}
	for _, row := range []struct {
		choice, bus string
		want        []string
	}{
		{"", "unix:path=/missing", auto},
		{"auto", "unix:path=/missing", auto},
		{"os", "", []string{"os"}},
		{"kernel", "", []string{"kernel"}},
		{"file", "", []string{"file"}},
		{"none", "", nil},
	} {
		getenv := func(name string) string { return map[string]string{"DBUS_SESSION_BUS_ADDRESS": row.bus}[name] }
		store := open(t, Settings{Choice: row.choice, KeyFile: "/missing/key", Getenv: getenv})
		if !slices.Equal(store.Backends(), row.want) {
			t.Errorf("%q: %q, want %q", row.choice, store.Backends(), row.want)
		}
	}
	if _, err := Open(Settings{Choice: "kernal"}); !fault.Is(err, fault.Settings) {
		t.Errorf("an unknown choice: %v", err) // doctor-identities.txtar has the sentence
	}
}

func TestStore_without_backend(t *testing.T) {
	store := open(t, Settings{Choice: "none"})
	_, keyErr := store.Key(t.Context(), OS)
	_, createErr := store.Create(t.Context(), OS, uncontended)
	for _, err := range []error{keyErr, createErr, store.Delete(t.Context(), OS, uncontended)} {
		if kind(err) != "unavailable" {
			t.Error(err)
		}
	}
}

func TestStore_Create(t *testing.T) {
	t.Run("writes nothing without lock", func(t *testing.T) {
		store, path := openFile(t)
		held := errors.New("another process has the lock")
		_, err := store.Create(t.Context(), File, func(context.Context) (func(), error) { return nil, held })
		if _, stat := os.Stat(path); !errors.Is(err, held) || !os.IsNotExist(stat) {
			t.Errorf("error %v, want the lock's; the key file: %v", err, stat)
		}
	})
	t.Run("looks again under the lock", func(t *testing.T) {
		store, _ := openFile(t)
		var first []byte
		second, err := store.Create(t.Context(), File, func(context.Context) (func(), error) {
			first = must(store.Create(t.Context(), File, uncontended))
			return func() {}, nil
		})
		if err != nil || len(first) != KeySize || !bytes.Equal(first, second) {
			t.Errorf("the key that was made while it waited for the lock did not stay: %v", err)
		}
	})
	t.Run("never overwrites another value", func(t *testing.T) {
		store, path := openFile(t)
		for _, text := range []string{
			"", "not a key", encode(make([]byte, KeySize-1)), encode(make([]byte, KeySize+1)), strings.Repeat("A", 2<<10),
		} {
			if err := writeText(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := store.Create(t.Context(), File, uncontended)
			if kind(err) != "not a key" || text != "" && strings.Contains(err.Error(), text) {
				t.Errorf("%.99q: %v", text, err)
			}
			if now, _ := os.ReadFile(path); string(now) != text {
				t.Errorf("it overwrote %.99q", text)
			}
		}
	})
	t.Run("writes nothing after its context has ended", func(t *testing.T) {
		store, path := openFile(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		unlocked := false
		_, err := store.Create(ctx, File, func(context.Context) (func(), error) { return func() { unlocked = true }, nil })
		_, stat := os.Stat(path)
		if !errors.Is(err, context.Canceled) || kind(err) != "unavailable" || !unlocked || !os.IsNotExist(stat) {
			t.Errorf("error %v, unlocked %t; the key file: %v", err, unlocked, stat)
		}
	})
}

func newKey() []byte {
	key := make([]byte, KeySize)
	rand.Read(key)
	return key
}
