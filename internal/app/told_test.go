package app

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestApp_WasTold has gets that fail at the same moment, as a compose pull of several images.
func TestApp_WasTold(t *testing.T) {
	a := &App{Env: Env{Now: time.Now, Parent: func() string { return t.TempDir() }}}
	parent := a.Parent()
	a.Parent = func() string { return parent }
	var told atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if !a.WasTold("line") {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if told.Load() != 1 || a.WasTold("another line") {
		t.Errorf("the line was told %d times", told.Load())
	}
	a.Parent = func() string { return "" }
	for range 2 {
		if a.WasTold("line") {
			t.Error("a line of an unknown parent was left out")
		}
	}
}

func TestParent(t *testing.T) {
	got := Parent()
	if known := runtime.GOOS == "linux" || runtime.GOOS == "darwin" || runtime.GOOS == "windows"; known != (got != "") {
		t.Errorf("%q", got)
	}
	if got != Parent() || got != "" && !strings.Contains(got, fmt.Sprint(os.Getppid())) {
		t.Errorf("%q, then %q", got, Parent())
	}
}
