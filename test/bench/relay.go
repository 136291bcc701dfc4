package main

import (
	"io"
	"net"
	"net/http"
	"time"
)

// A relay is an HTTP proxy on loopback that makes a server far: it stands for a direct connection of this round-trip
// time. A client reaches the relay itself without delay, so it measures what it would without a proxy.
type relay struct {
	listener net.Listener
	target   string // the host:port that every CONNECT leads to
	rtt      time.Duration
}

// startRelay starts a relay; close ends it. Tunnels end with their clients.
func startRelay(target string, rtt time.Duration) (*relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &relay{listener, target, rtt}
	go http.Serve(listener, r)
	return r, nil
}

func (r *relay) url() string { return "http://" + r.listener.Addr().String() }

func (r *relay) close() error { return r.listener.Close() }

// ServeHTTP answers a CONNECT after one round trip, that of the TCP handshake, and then delays what each side sends
// by half a round trip.
func (r *relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodConnect {
		http.Error(w, "this proxy accepts CONNECT only", http.StatusBadGateway)
		return
	}
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer client.Close()
	time.Sleep(r.rtt)
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	ended := make(chan struct{}, 2)
	go func() { delayedCopy(server, buffered, r.rtt/2); ended <- struct{}{} }()
	go func() { delayedCopy(client, server, r.rtt/2); ended <- struct{}{} }()
	<-ended
}

// A chunk is what one read returned, and when it is due at the other side.
type chunk struct {
	bytes []byte
	due   time.Time
}

// delayedCopy copies until one side ends. It goes on reading while chunks wait, so that the delay doesn't limit the
// throughput.
func delayedCopy(to io.Writer, from io.Reader, delay time.Duration) {
	chunks, failed := make(chan chunk, 1024), make(chan struct{})
	go func() {
		defer close(chunks)
		for {
			buffer := make([]byte, 32<<10)
			n, err := from.Read(buffer)
			select {
			case chunks <- chunk{buffer[:n], time.Now().Add(delay)}: // the last is empty and delays the end
			case <-failed:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range chunks {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.bytes); err != nil {
			close(failed)
			return
		}
	}
}
