package httpguard

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// A Connection is opened to one host while something else is done, and carries the first
// requests to it. It is a transport like its base. It uses the base if the connection can't be
// used. The zero value has no base and must not be used.
type Connection struct {
	base   http.RoundTripper
	cancel context.CancelFunc
	opened chan struct{} // closed when conn and err are set
	conn   *http.ClientConn
	err    error
	close  sync.Once
}

// Connect begins to open a TLS connection to a host, through base and its proxy. ctx ends
// the opening. Close the Connection. A base that isn't an *http.Transport opens nothing.
func Connect(ctx context.Context, base http.RoundTripper, host string) *Connection {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	c := &Connection{base: base, cancel: cancel, opened: make(chan struct{})}
	t, ok := base.(*http.Transport)
	if !ok {
		close(c.opened)
		return c
	}
	go func() {
		defer close(c.opened)
		c.conn, c.err = t.NewClientConn(ctx, "https", net.JoinHostPort(host, "443"))
	}()
	return c
}

// RoundTrip sends a request on the connection. One that ended meanwhile is replaced, once;
// a host that can't be reached is not tried again.
func (c *Connection) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-c.opened:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	switch {
	case c.err != nil:
		err := c.err
		c.err = nil // a retry opens another connection
		return nil, err
	case c.conn == nil || c.conn.Err() != nil || c.conn.Available() == 0:
		return c.base.RoundTrip(req)
	}
	resp, err := c.conn.RoundTrip(req)
	if err != nil && c.conn.Err() != nil && req.Context().Err() == nil && req.GetBody != nil {
		if req.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
		return c.base.RoundTrip(req)
	}
	return resp, err
}

// Close closes the connection, in the background if it is still being opened.
func (c *Connection) Close() {
	c.close.Do(func() {
		c.cancel()
		go func() {
			<-c.opened
			if c.conn != nil {
				c.conn.Close()
			}
		}()
	})
}
