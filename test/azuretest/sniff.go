package azuretest

import (
	"bufio"
	"crypto/tls"
	"net"
	"sync"
)

// A sniffer is a listener for TLS and plain HTTP on one port. Transport sends both to it, since credentials over
// plain HTTP must be detected.
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

// run handles each connection in its own goroutine: a client that sends nothing must not block others.
func (s *sniffer) run() {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			s.once.Do(func() { close(s.closed) })
			return
		}
		go s.classify(conn)
	}
}

// tlsHandshake is the first byte of TLS connections (RFC 8446 §5.1). HTTP methods don't start with it.
const tlsHandshake = 0x16

// classify waits for the first byte and passes the connection to Accept.
func (s *sniffer) classify(conn net.Conn) {
	// Close must end connections that send nothing.
	stop := make(chan struct{})
	go func() {
		select {
		case <-s.closed:
			conn.Close()
		case <-stop:
		}
	}()
	reader := bufio.NewReaderSize(conn, 16) // bufio's minimum; one byte is needed
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

// Accept returns a *tls.Conn for TLS, which net/http recognises, and a plain one otherwise.
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

// A peekedConn returns the peeked byte again.
type peekedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (p *peekedConn) Read(b []byte) (int, error) { return p.reader.Read(b) }
