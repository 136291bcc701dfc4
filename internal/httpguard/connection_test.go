package httpguard_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
)

// A server counts connections and requests; all hosts are at its address.
type server struct {
	*httptest.Server
	connections, requests atomic.Int32
	transport             *http.Transport
}

func newServer(t *testing.T, isHTTP2 bool) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	}))
	s.EnableHTTP2 = isHTTP2
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	s.transport = s.Client().Transport.(*http.Transport).Clone()
	s.transport.TLSClientConfig.ServerName = "example.com" // of its certificate
	s.transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
	t.Cleanup(s.transport.CloseIdleConnections)
	return s
}

// post sends a request with a body through a transport.
func post(t *testing.T, transport http.RoundTripper) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); string(body) != "the body" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	return nil
}

func TestConnection(t *testing.T) {
	for name, isHTTP2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, isHTTP2)
			c := httpguard.Connect(t.Context(), s.transport, host)
			defer c.Close()
			for s.connections.Load() == 0 { // it is opened before there is a request
				time.Sleep(time.Millisecond)
			}
			if err := post(t, c); err != nil || s.connections.Load() != 1 || s.requests.Load() != 1 {
				t.Errorf("%v, %d connections, %d requests", err, s.connections.Load(), s.requests.Load())
			}
		})
	}
	t.Run("ended meanwhile", func(t *testing.T) {
		s := newServer(t, false)
		c := httpguard.Connect(t.Context(), s.transport, host)
		defer c.Close()
		time.Sleep(500 * time.Millisecond) // for the handshake
		s.CloseClientConnections()
		if err := post(t, c); err != nil || s.connections.Load() != 2 || s.requests.Load() != 1 {
			t.Errorf("%v, %d connections, %d requests", err, s.connections.Load(), s.requests.Load())
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		dials := 0
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			dials++
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}}
		c := httpguard.Connect(t.Context(), transport, host)
		defer c.Close()
		if err := post(t, c); !errors.Is(err, syscall.ECONNREFUSED) || dials != 1 {
			t.Errorf("%v, %d dials", err, dials)
		}
	})
	t.Run("not needed", func(t *testing.T) {
		ended := make(chan struct{})
		transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			close(ended)
			return nil, ctx.Err()
		}}
		httpguard.Connect(t.Context(), transport, host).Close()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Error("it is still being opened")
		}
	})
	t.Run("another transport", func(t *testing.T) {
		s := newServer(t, false)
		c := httpguard.Connect(t.Context(), transport(s.transport.RoundTrip), host)
		defer c.Close()
		if err := post(t, c); err != nil || s.connections.Load() != 1 {
			t.Errorf("%v, %d connections", err, s.connections.Load())
		}
	})
}
