// Package hostile has servers that don't end, lie or send too much, in every way that
// HTTP allows and in some that it doesn't.
package hostile

import (
	"bufio"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Marker is in what servers send. No error may quote it.
const Marker = "HOSTILE-TEXT"

// A Behavior is what a server does with each connection, after TLS if there is TLS.
type Behavior struct {
	Name string
	// Respond writes to the connection after the request's header was read; nil for HTTP/2.
	Respond func(net.Conn)
	// Handler serves HTTP/2 instead.
	Handler http.HandlerFunc
	// SilentTLS never completes the handshake.
	SilentTLS bool
}

// pause is how long a slow server waits between two pieces.
const pause = 100 * time.Millisecond

// wait keeps the connection open until the other side closes it.
func wait(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// text is a response that is sent at once; the connection stays open then.
func text(response string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = io.WriteString(conn, strings.ReplaceAll(response, "\n", "\r\n"))
		wait(conn)
	}
}

// endless sends the header and then a piece again and again, as fast as it can or slowly.
func endless(header, piece string, every time.Duration) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, strings.ReplaceAll(header, "\n", "\r\n"))
		for err == nil {
			_, err = io.WriteString(conn, piece)
			time.Sleep(every)
		}
	}
}

const json = "Content-Type: application/json\n"

var big64K = strings.Repeat(Marker, 64<<10/len(Marker))

// Behaviors returns all behaviors.
func Behaviors() []Behavior {
	all := slices.Clone(http1)
	for name, handler := range http2 {
		all = append(all, Behavior{Name: "HTTP/2 " + name, Handler: func(w http.ResponseWriter, r *http.Request) {
			handler(w, r)
			<-r.Context().Done()
		}})
	}
	return all
}

// http1 are the behaviors of HTTP/1.1, and of what is no HTTP at all.
var http1 = []Behavior{
	{Name: "silent TLS", SilentTLS: true},
	{Name: "silence", Respond: wait},
	{Name: "closes at once", Respond: func(net.Conn) {}},
	{Name: "garbage", Respond: text(Marker + "\n\n")},
	{Name: "half a status line", Respond: text("HTTP/1.1 2")},
	{Name: "half a header", Respond: text("HTTP/1.1 200 OK\nContent-Ty")},
	{Name: "status 000", Respond: text("HTTP/1.1 000 " + Marker + "\n" + json + "\n{}")},
	{Name: "status 999", Respond: text("HTTP/1.1 999 " + Marker + "\n" + json + "Content-Length: 2\n\n{}")},
	{Name: "101", Respond: text("HTTP/1.1 101 Switching Protocols\nUpgrade: x\nConnection: Upgrade\n\n")},
	{Name: "101 and drip", Respond: endless("HTTP/1.1 101 Switching Protocols\nUpgrade: x\nConnection: Upgrade\n\n", " ", pause)},
	{Name: "101 and flood", Respond: endless("HTTP/1.1 101 Switching Protocols\nUpgrade: x\nConnection: Upgrade\n\n", big64K, 0)},
	{Name: "100 forever", Respond: endless("", "HTTP/1.1 100 Continue\r\n\r\n", pause)},
	{Name: "103 flood", Respond: endless("", "HTTP/1.1 103 Early Hints\r\nLink: <"+Marker+">\r\n\r\n", 0)},
	{Name: "102 forever", Respond: endless("", "HTTP/1.1 102 Processing\r\n\r\n", pause)},
	{Name: "header drip", Respond: endless("HTTP/1.1 200 OK\n", "A: b\r\n", pause)},
	{Name: "header flood", Respond: endless("HTTP/1.1 200 OK\n", "A: "+Marker+"\r\n", 0)},
	{Name: "one endless header", Respond: endless("HTTP/1.1 200 OK\nA: ", big64K, 0)},
	{Name: "header, then silence", Respond: text("HTTP/1.1 200 OK\n" + json + "\n")},
	{Name: "long length, then silence", Respond: text("HTTP/1.1 200 OK\n" + json + "Content-Length: 50\n\n{")},
	{Name: "huge length", Respond: text("HTTP/1.1 200 OK\n" + json + "Content-Length: 9223372036854775807\n\n{")},
	{Name: "negative length", Respond: text("HTTP/1.1 200 OK\n" + json + "Content-Length: -1\n\n{}")},
	{Name: "two lengths", Respond: text("HTTP/1.1 200 OK\n" + json + "Content-Length: 2\nContent-Length: 3\n\n{}")},
	{Name: "body drip", Respond: endless("HTTP/1.1 200 OK\n"+json+"\n", " ", pause)},
	{Name: "body flood", Respond: endless("HTTP/1.1 200 OK\n"+json+"\n", big64K, 0)},
	{Name: "chunk drip", Respond: endless("HTTP/1.1 200 OK\n"+json+"Transfer-Encoding: chunked\n\n", "1\r\n \r\n", pause)},
	{Name: "huge chunk", Respond: endless("HTTP/1.1 200 OK\n"+json+"Transfer-Encoding: chunked\n\nffffffffffff\n", big64K, 0)},
	{Name: "bad chunk", Respond: text("HTTP/1.1 200 OK\n" + json + "Transfer-Encoding: chunked\n\n" + Marker + "\n")},
	{Name: "endless trailer", Respond: endless("HTTP/1.1 200 OK\n"+json+"Transfer-Encoding: chunked\n\n0\n", "A: b\r\n", pause)},
	{Name: "gzip bomb", Respond: gzipBomb},
	{Name: "deep JSON", Respond: text("HTTP/1.1 200 OK\n" + json + "Content-Length: 60000\n\n" + strings.Repeat("[", 60000))},
	{Name: "other JSON", Respond: text("HTTP/1.1 200 OK\n" + json + "Content-Length: 18\n\n{\"" + Marker + "\":1}")},
	{Name: "page", Respond: text("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 12\n\n" + Marker)},
	{Name: "error, then silence", Respond: text("HTTP/1.1 400 " + Marker + "\n" + json + "\n{\"error\":\"" + Marker)},
	{Name: "error flood", Respond: endless("HTTP/1.1 500 x\n"+json+"\n", big64K, 0)},
	{Name: "204", Respond: text("HTTP/1.1 204 No Content\n\n")},
	{Name: "304", Respond: text("HTTP/1.1 304 Not Modified\n\n")},
	{Name: "redirect and drip", Respond: endless("HTTP/1.1 307 x\nLocation: https://evil.example/\n\n", " ", pause)},
	{Name: "redirect to itself", Respond: text("HTTP/1.1 302 x\nLocation: /\nContent-Length: 0\n\n")},
	{Name: "retry in a day", Respond: text("HTTP/1.1 429 x\nRetry-After: 86400\nContent-Length: 0\n\n")},
	{Name: "retry at once", Respond: text("HTTP/1.1 503 x\nRetry-After: 0\nContent-Length: 0\n\n")},
	{Name: "retry in five seconds", Respond: text("HTTP/1.1 503 x\nRetry-After: 5\nContent-Length: 0\n\n")},
	{Name: "request timeout", Respond: text("HTTP/1.1 408 x\nConnection: close\nContent-Length: 0\n\n")},
}

// http2 are handlers, after which the response stays open.
var http2 = map[string]http.HandlerFunc{
	"silence": func(http.ResponseWriter, *http.Request) {},
	"header, then silence": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
	},
	"drip": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
	},
	"flood": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, big64K); err != nil {
				return
			}
		}
	},
	"103 forever": func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			w.WriteHeader(http.StatusEarlyHints)
			time.Sleep(pause)
		}
	},
	"reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
}

func gzipBomb(conn net.Conn) {
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n")
	w, _ := gzip.NewWriterLevel(conn, gzip.BestSpeed)
	for zeros := make([]byte, 1<<20); ; {
		if _, err := w.Write(zeros); err != nil {
			return
		}
	}
}

// A Server serves one behavior on loopback, with and without TLS.
type Server struct {
	// Plain and TLS are its addresses. A behavior of TLS or HTTP/2 is the same at both.
	Plain, TLS string
	// Sent counts the bytes that were sent.
	Sent atomic.Int64
	stop []func()
}

// Start starts a server.
func Start(b Behavior) (*Server, error) {
	s := &Server{}
	cert, err := certificate()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
	if b.Handler != nil {
		config.NextProtos = []string{"h2"}
	}
	for _, address := range []*string{&s.Plain, &s.TLS} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			s.Close()
			return nil, err
		}
		s.stop = append(s.stop, func() { listener.Close() })
		*address = listener.Addr().String()
		counted := counting{listener, s}
		switch {
		case b.SilentTLS:
			go serve(counted, wait)
		case b.Handler != nil:
			server := &http.Server{Handler: b.Handler, TLSConfig: config.Clone()}
			s.stop = append(s.stop, func() { server.Close() })
			go server.ServeTLS(counted, "", "")
		case address == &s.TLS:
			go serve(tls.NewListener(counted, config), afterRequest(b.Respond))
		default:
			go serve(counted, afterRequest(b.Respond))
		}
	}
	return s, nil
}

// afterRequest responds to the first request of a connection.
func afterRequest(respond func(net.Conn)) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			respond(conn)
		}
	}
}

func serve(listener net.Listener, respond func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			respond(conn)
		}()
	}
}

// Close stops the server and closes its connections.
func (s *Server) Close() {
	for _, stop := range s.stop {
		stop()
	}
}

// counting counts what its connections send, and closes them with it.
type counting struct {
	net.Listener
	s *Server
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return counted{conn, c.s}, nil
}

type counted struct {
	net.Conn
	s *Server
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.s.Sent.Add(int64(n))
	return n, err
}

// certificate returns a self-signed certificate; its clients don't check it.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("creating a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
