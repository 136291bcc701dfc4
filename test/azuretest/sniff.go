package azuretest

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
)

// A sniffer is a listener on which TLS and plain HTTP arrive at one port. A
// transport that sends every connection to one address would otherwise lose
// plain requests, and a credential sent in clear must be seen.
type sniffer struct {
	net.Listener
	config *tls.Config
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newSniffer(inner net.Listener, config *tls.Config) *sniffer {
	s := &sniffer{Listener: inner, config: config, conns: make(chan net.Conn), closed: make(chan struct{})}
	go s.run()
	return s
}

// run looks at each connection in a goroutine of its own, so that a client which
// connects and stays silent holds up nobody.
func (s *sniffer) run() {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			s.once.Do(func() { close(s.closed) })
			return
		}
		go s.sort(conn)
	}
}

// tlsHandshake is the first byte of every TLS connection (RFC 8446 §5.1); no HTTP
// method begins with it.
const tlsHandshake = 0x16

// sort waits for the first byte and passes the connection on.
func (s *sniffer) sort(conn net.Conn) {
	// Close must end connections that never say anything.
	stop := make(chan struct{})
	go func() {
		select {
		case <-s.closed:
			conn.Close()
		case <-stop:
		}
	}()
	reader := bufio.NewReaderSize(conn, 16) // 16 is bufio's least; one byte is wanted
	first, err := reader.Peek(1)
	close(stop)
	if err != nil {
		conn.Close()
		return
	}
	conn = &peekedConn{Conn: conn, reader: reader}
	if first[0] == tlsHandshake {
		conn = tls.Server(conn, s.config)
	}
	select {
	case s.conns <- conn:
	case <-s.closed:
		conn.Close()
	}
}

// Accept returns a *tls.Conn for TLS, which net/http recognises, and a plain one
// otherwise.
func (s *sniffer) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *sniffer) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Listener.Close()
}

// A peekedConn gives back the byte that was looked at.
type peekedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (p *peekedConn) Read(b []byte) (int, error) { return p.reader.Read(b) }
