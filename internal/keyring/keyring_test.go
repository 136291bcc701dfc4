package keyring

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func noEnv(string) string { return "" }

// free is a lock that nobody else wants.
func free(context.Context) (func(), error) { return func() {}, nil }

func TestOpen(t *testing.T) {
	tests := []struct {
		choice string
		homes  []string
	}{
		{"os", []string{"os"}},
		{"kernel", []string{"kernel"}},
		{"file", []string{"file"}},
		{"none", nil},
	}
	for _, tt := range tests {
		r, err := Open(Settings{Choice: tt.choice, KeyFile: filepath.Join(t.TempDir(), "key"), Getenv: noEnv})
		if err != nil || !slices.Equal(r.Homes(), tt.homes) {
			t.Errorf("%s: homes %q, error %v, want %q", tt.choice, r.Homes(), err, tt.homes)
		}
	}
	_, err := Open(Settings{Choice: "kernal", Getenv: noEnv})
	for _, word := range []string{"DOCKER_CREDENTIAL_ACR_KEYRING", "kernal", "auto", "os", "kernel", "file", "none"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("an unknown choice: %v, want it to name %s", err, word)
		}
	}
}

func TestOpenAuto(t *testing.T) {
	withBus := func(name string) string {
		return map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}[name]
	}
	want := map[string][]string{"linux": {"os", "kernel"}}[runtime.GOOS]
	if want == nil {
		want = []string{"os"}
	}
	for _, choice := range []string{"", "auto"} {
		r, err := Open(Settings{Choice: choice, Getenv: withBus})
		if err != nil || !slices.Equal(r.Homes(), want) {
			t.Errorf("%q: homes %q, error %v, want %q", choice, r.Homes(), err, want)
		}
	}
}

func TestHomeNotChosen(t *testing.T) {
	r, err := Open(Settings{Choice: "none"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Key(t.Context(), "os"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Key: %v", err)
	}
	if _, err := r.Make(t.Context(), "os", free); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Make: %v", err)
	}
}

func TestMakeWritesNothingWhenTheLockFails(t *testing.T) {
	r, path := openFile(t)
	held := errors.New("held by another")
	_, err := r.Make(t.Context(), "file", func(context.Context) (func(), error) { return nil, held })
	if !errors.Is(err, held) {
		t.Errorf("error %v, want the lock's", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a key file was written: %v", err)
	}
}

func TestMakeLooksAgainUnderTheLock(t *testing.T) {
	r, _ := openFile(t)
	var first []byte
	second, err := r.Make(t.Context(), "file", func(context.Context) (func(), error) {
		var err error
		first, err = r.Make(t.Context(), "file", free)
		return func() {}, err
	})
	if err != nil || len(first) != KeySize || !bytes.Equal(first, second) {
		t.Errorf("the key made while waiting for the lock was not kept: %v", err)
	}
}

func TestMakeReturnsOtherAnswersAsTheyAre(t *testing.T) {
	r, path := openFile(t)
	for _, text := range []string{"", "not a key", encode(make([]byte, KeySize-1)), encode(make([]byte, KeySize+1))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := r.Make(t.Context(), "file", free)
		if !errors.Is(err, ErrUnavailable) || (text != "" && strings.Contains(err.Error(), text)) {
			t.Errorf("%q: %v", text, err)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%q was overwritten", text)
		}
	}
}

func TestAnEndedContextAsksNothing(t *testing.T) {
	r, path := openFile(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	unlocked := false
	_, err := r.Make(ctx, "file", func(context.Context) (func(), error) { return func() { unlocked = true }, nil })
	if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrUnavailable) || !unlocked {
		t.Errorf("error %v, unlocked %t", err, unlocked)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("a key file was written: %v", err)
	}
}

// The next three look at the deadline alone, in a bubble where time is free;
// the real services that hang are in the tests of the Secret Service.

func TestADeadHomeIsAskedOnceOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slot{home: fileHome{}, limit: osDeadline, dead: make(chan struct{})}
		var asked atomic.Int32
		hang := make(chan struct{})
		silent := func(context.Context) ([]byte, error) { asked.Add(1); <-hang; return nil, nil }
		start := time.Now()
		for i := range 20 { // they come one after the other, all while the first still waits
			go func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond)
				if _, err := s.bound(t.Context(), silent, func() {}); !errors.Is(err, ErrUnavailable) {
					t.Errorf("caller %d: %v", i, err)
				}
				if took := time.Since(start); took != osDeadline {
					t.Errorf("caller %d returned after %v", i, took)
				}
			}()
		}
		time.Sleep(osDeadline + time.Second)
		before := asked.Load()
		if _, err := s.bound(t.Context(), silent, func() {}); !errors.Is(err, ErrUnavailable) || asked.Load() != before {
			t.Errorf("a dead home was asked again: %v", err)
		}
		close(hang)
	})
}

func TestTheLockOutlivesALateWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slot{home: fileHome{}, limit: osDeadline, dead: make(chan struct{})}
		hang := make(chan struct{})
		var unlocked atomic.Bool
		late := func(context.Context) ([]byte, error) { <-hang; return make([]byte, KeySize), nil }
		key, err := s.bound(t.Context(), late, func() { unlocked.Store(true) })
		if key != nil || !errors.Is(err, ErrUnavailable) || unlocked.Load() {
			t.Errorf("timed out: %v, unlocked %t", err, unlocked.Load())
		}
		close(hang)
		synctest.Wait()
		if !unlocked.Load() {
			t.Error("the lock was never let go")
		}
	})
}

func TestAShortContextDoesNotKillTheHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slot{home: fileHome{}, limit: osDeadline, dead: make(chan struct{})}
		slow := func(context.Context) ([]byte, error) { time.Sleep(osDeadline / 2); return make([]byte, KeySize), nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := s.bound(ctx, slow, func() {}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUnavailable) {
			t.Errorf("short context: %v", err)
		}
		if key, err := s.bound(t.Context(), slow, func() {}); err != nil || len(key) != KeySize {
			t.Errorf("afterwards: %v", err)
		}
	})
}
