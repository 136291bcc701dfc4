package azuretest

import (
	"io"
	"net"
	"net/http"
	"sync"
)

// A Proxy is an HTTP proxy on loopback that connects to the cloud only, for compiled programs: set HTTPS_PROXY to its
// URL and SSL_CERT_FILE to the file of WriteCA.
type Proxy struct {
	cloud    *Cloud
	listener net.Listener
	server   *http.Server

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool // tunnels, which net/http no longer closes
}

// StartProxy starts a proxy; closing the cloud closes it. CONNECT to port 443 of a host that the cloud serves
// connects to the cloud. All other requests, including plain HTTP, are refused with 502 and recorded in ForeignHosts.
// It panics if it can't listen, as httptest.NewServer does.
func (c *Cloud) StartProxy() *Proxy {
	p := &Proxy{cloud: c, listener: must(net.Listen("tcp", "127.0.0.1:0")), conns: map[net.Conn]bool{}}
	p.server = newServer(p.serve)
	go p.server.Serve(p.listener)
	c.closeLater(p)
	return p
}

// URL returns the proxy's address, for HTTPS_PROXY.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Close stops the proxy and closes its tunnels. The error is always nil.
func (p *Proxy) Close() error {
	p.server.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for conn := range p.conns {
		conn.Close()
	}
	return nil
}

// serve checks only the name and port; it always connects to the cloud.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		p.cloud.record.noteForeign("http://" + r.Host)
		http.Error(w, "this proxy accepts CONNECT only", http.StatusBadGateway)
		return
	}
	if !p.cloud.noteDial(r.Host) {
		http.Error(w, "no such host in this cloud", http.StatusBadGateway)
		return
	}
	upstream, err := net.Dial("tcp", p.cloud.Addr())
	if err != nil {
		http.Error(w, "the cloud is closed", http.StatusBadGateway)
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		upstream.Close()
		return
	}
	io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n")
	p.tunnel(client, buffered, upstream)
}

// tunnel copies in both directions until one side closes. fromClient includes what the client sent right after its
// CONNECT.
func (p *Proxy) tunnel(client net.Conn, fromClient io.Reader, upstream net.Conn) {
	if !p.track(client, upstream) {
		return
	}
	defer p.untrack(client, upstream)
	ended := make(chan struct{}, 2)
	go func() { io.Copy(upstream, fromClient); ended <- struct{}{} }()
	go func() { io.Copy(client, upstream); ended <- struct{}{} }()
	<-ended
}

// track registers connections for Close. It closes them if the proxy is closed.
func (p *Proxy) track(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		if p.closed {
			conn.Close()
		}
		p.conns[conn] = true
	}
	return !p.closed
}

func (p *Proxy) untrack(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
		delete(p.conns, conn)
	}
}
