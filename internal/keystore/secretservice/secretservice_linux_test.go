package secretservice

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

func TestChoose(t *testing.T) {
	const login, a, b = loginPath + "/1", servicePath + "/collection/a/1", servicePath + "/collection/b/1"
	type paths = []dbus.ObjectPath
	for _, row := range []struct {
		unlocked, locked paths
		want             dbus.ObjectPath
		wantLocked       bool
	}{
		{nil, nil, "", false},
		{paths{b, login, a}, nil, login, false},
		{paths{b, a}, nil, a, false},
		{paths{a, b}, nil, a, false},
		{paths{a}, paths{b}, a, false},
		{paths{a}, paths{login}, "", true}, // a is an old one: another key
		{nil, paths{a}, "", true},
	} {
		item, err := choose(row.unlocked, row.locked)
		if item != row.want || fault.Is(err, fault.KeyringLocked) != row.wantLocked || (err != nil) != row.wantLocked {
			t.Errorf("unlocked %q, locked %q: %q, %v", row.unlocked, row.locked, item, err)
		}
	}
}

// TestRetryBusy has a bus whose listen queue is full.
func TestRetryBusy(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	addr := &net.UnixAddr{Net: "unix", Name: filepath.Join(t.TempDir(), "busy")}
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrUnix{Name: addr.Name}), syscall.Listen(fd, 1)); err != nil {
		t.Fatal(err)
	}
	dial := func() error { _, err := net.DialUnix("unix", nil, addr); return err }
	for err == nil {
		err = dial()
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatalf("a full queue: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*busyPause)
	defer cancel()
	if err := retryBusy(ctx, dial); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("the queue stays full: %v", err)
	}
	go syscall.Accept(fd)
	if err := retryBusy(t.Context(), dial); err != nil {
		t.Errorf("the queue has a free place again: %v", err)
	}
}
