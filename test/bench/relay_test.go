package main

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"
)

// TestRelay sends more through the relay than fits into its buffers. That it was slow enough is certain, because a
// slow computer only adds to the time.
func TestRelay(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	defer server.Close()
	const rtt = 20 * time.Millisecond
	relay, err := startRelay(server.Listener.Addr().String(), rtt)
	if err != nil {
		t.Fatal(err)
	}
	defer relay.close()
	proxy, err := url.Parse(relay.url())
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	client.Transport.(*http.Transport).Proxy = http.ProxyURL(proxy)
	sent := make([]byte, 3<<20)
	rand.Read(sent)
	start := time.Now()
	// httptest's certificate names example.com. There is no such port: all leads to the server.
	resp, err := client.Post("https://example.com:1/", "", bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	received, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Equal(received, sent) {
		t.Errorf("%d bytes came back for %d, or others: %v", len(received), len(sent), err)
	}
	if took := time.Since(start); took < 3*rtt { // TCP, TLS, request
		t.Errorf("a request took %v, less than three round trips of %v", took, rtt)
	}
}

func TestRelay_refuses_other_requests(t *testing.T) {
	answer := httptest.NewRecorder()
	(&relay{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://example.com/", nil))
	if answer.Code != http.StatusBadGateway {
		t.Errorf("GET: HTTP %d", answer.Code)
	}
}
