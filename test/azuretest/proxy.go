package azuretest

import (
	"io"
	"log"
	"net"
	"net/http"
	"sync"
)

// A Proxy is an HTTP proxy on loopback that leads to the cloud and nowhere else,
// for finished programs: HTTPS_PROXY=URL() and SSL_CERT_FILE set to the file
// of WriteCA.
type Proxy struct {
	cloud    *Cloud
	listener net.Listener
	server   *http.Server

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool // tunnels, which net/http has let go of
}

// StartProxy starts a proxy; closing the cloud closes it. CONNECT to port 443 of
// a host that the cloud serves reaches the cloud. Everything else is answered 502,
// noted in ForeignHosts and never dialled; requests in clear are refused. It
// panics when loopback has no port left, as httptest.NewServer does.
func (c *Cloud) StartProxy() *Proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("azuretest: starting a proxy: " + err.Error())
	}
	p := &Proxy{cloud: c, listener: listener, conns: map[net.Conn]bool{}}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go p.server.Serve(listener)
	c.closeLater(p)
	return p
}

// URL is the proxy's address, as HTTPS_PROXY wants it.
func (p *Proxy) URL() string { return "http://" + p.listener.Addr().String() }

// Close stops the proxy and cuts its tunnels. The error is always nil.
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

// serve decides by name and port alone where a tunnel may lead; the address that
// is dialled is always the cloud's.
func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		p.cloud.record.noteForeign("http://" + r.Host)
		http.Error(w, "this proxy takes CONNECT only", http.StatusBadGateway)
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

// tunnel copies both ways until either side ends. fromClient holds what the
// client sent right behind its CONNECT.
func (p *Proxy) tunnel(client net.Conn, fromClient io.Reader, upstream net.Conn) {
	if !p.hold(client, upstream) {
		return
	}
	defer p.release(client, upstream)
	ended := make(chan struct{}, 2)
	go func() { io.Copy(upstream, fromClient); ended <- struct{}{} }()
	go func() { io.Copy(client, upstream); ended <- struct{}{} }()
	<-ended
}

// hold puts connections in Close's reach; on a closed proxy it closes them.
func (p *Proxy) hold(conns ...net.Conn) bool {
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

func (p *Proxy) release(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range conns {
		conn.Close()
		delete(p.conns, conn)
	}
}
