package keystore

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestBounded_do tests the timeout alone, with a clock that costs no time. The tests of the Secret Service have real
// services that don't answer.
func TestBounded_do(t *testing.T) {
	synced := func(name string, test func(t *testing.T, b *bounded)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, newBounded(keyFile{}, File, "the key file", osTimeout)) })
		})
	}
	synced("never waits again for a backend that timed out", func(t *testing.T, b *bounded) {
		var calls atomic.Int32
		hang := make(chan struct{})
		silent := func(context.Context) ([]byte, error) { calls.Add(1); <-hang; return nil, nil }
		start := time.Now()
		for i := range 20 { // one after the other, while the first still waits
			go func() {
				time.Sleep(time.Duration(i) * 50 * time.Millisecond)
				if _, err := b.do(t.Context(), silent, func() {}); kind(err) != "unavailable" {
					t.Errorf("caller %d: %v", i, err)
				}
				if took := time.Since(start); took != osTimeout {
					t.Errorf("caller %d returned after %v", i, took)
				}
			}()
		}
		time.Sleep(osTimeout + time.Second)
		before := calls.Load()
		if _, err := b.do(t.Context(), silent, func() {}); kind(err) != "unavailable" || calls.Load() != before {
			t.Errorf("it used a disabled backend: %v", err)
		}
		close(hang)
	})
	synced("holds the lock until a late write ends", func(t *testing.T, b *bounded) {
		hang := make(chan struct{})
		var unlocked atomic.Bool
		late := func(context.Context) ([]byte, error) { <-hang; return make([]byte, KeySize), nil }
		key, err := b.do(t.Context(), late, func() { unlocked.Store(true) })
		if key != nil || kind(err) != "unavailable" || unlocked.Load() {
			t.Errorf("timed out: %v, unlocked %t", err, unlocked.Load())
		}
		close(hang)
		synctest.Wait()
		if !unlocked.Load() {
			t.Error("it never released the lock")
		}
	})
	synced("keeps a backend whose caller gives up", func(t *testing.T, b *bounded) {
		slow := func(context.Context) ([]byte, error) { time.Sleep(osTimeout / 2); return make([]byte, KeySize), nil }
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := b.do(ctx, slow, func() {})
		if !errors.Is(err, context.DeadlineExceeded) || kind(err) != "unavailable" {
			t.Errorf("short context: %v", err)
		}
		if key, err := b.do(t.Context(), slow, func() {}); err != nil || len(key) != KeySize {
			t.Errorf("afterwards: %v", err)
		}
	})
}
