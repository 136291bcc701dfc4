package azuretest

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Cloud is one Azure: its authorities, tenants and registries behind a single
// loopback listener. Methods may be called from many goroutines at any time.
type Cloud struct {
	listener net.Listener
	server   *http.Server
	certs    *certificates
	signer   *signer
	record   *recorder
	faults   faultList
	canaries canarySet
	done     chan struct{} // closed by Close, ends hanging answers
	closing  sync.Once

	// mu guards everything below, and all that tenants, principals and
	// registries hold: one lock keeps a change of roles and secrets atomic.
	mu         sync.Mutex
	clock      func() time.Time
	offset     time.Duration
	tenants    []*Tenant
	registries map[string]*Registry // by host; a region is a second host
	fronts     map[string]*front    // by host, in lower case
	issuers    []*Issuer
	closers    []io.Closer
	machine    *Machine // nil until AddMachine
	people     people
}

// An Option changes how New sets a cloud up.
type Option func(*options)

type options struct{ address string }

// Listen makes the cloud listen on a given loopback address, such as
// 127.0.0.1:443 inside a network namespace. Without it any free port is used.
func Listen(address string) Option {
	return func(o *options) { o.address = address }
}

// New starts a cloud on loopback. It knows Azure's authorities, and no tenants
// or registries yet. Close it when done.
func New(opts ...Option) (*Cloud, error) {
	o := options{address: "127.0.0.1:0"}
	for _, opt := range opts {
		opt(&o)
	}
	listener, err := listenLoopback(o.address)
	if err != nil {
		return nil, err
	}
	c := &Cloud{
		signer:     newSigner(),
		record:     newRecorder(),
		done:       make(chan struct{}),
		clock:      time.Now,
		registries: map[string]*Registry{},
		fronts:     map[string]*front{},
		people:     newPeople(),
	}
	c.certs, err = newCertificates(c.noteServerName)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("making the cloud's certificates: %w", err)
	}
	c.listener = newSniffer(listener, c.certs.config())
	c.server = &http.Server{
		Handler: http.HandlerFunc(c.serve),
		// Clients that don't trust the root are part of the tests, not news.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go c.server.Serve(c.listener)
	return c, nil
}

// A TB is the part of testing.TB that Start needs. Declaring it here keeps
// package testing, and its flags, out of programs that import this package.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// Start is New for a test: the cloud is closed when the test ends.
func Start(t TB, opts ...Option) *Cloud {
	t.Helper()
	c, err := New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Close stops the cloud with its proxies and control listeners. Connections and
// hanging answers end at once. Closing twice is fine.
func (c *Cloud) Close() {
	c.closing.Do(func() {
		close(c.done)
		c.server.Close()
		c.mu.Lock()
		closers := c.closers
		c.closers = nil
		c.mu.Unlock()
		for _, closer := range closers {
			closer.Close()
		}
	})
}

// Addr is the host:port of the listener that serves every host name.
func (c *Cloud) Addr() string { return c.listener.Addr().String() }

// Now is the cloud's time, which dates every token, check and Date header.
func (c *Cloud) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

// now is Now for callers that hold mu.
func (c *Cloud) now() time.Time { return c.clock().Add(c.offset) }

// SetClock replaces the cloud's clock; nil means time.Now. TLS certificates
// don't depend on it. The function must not call back into the cloud.
func (c *Cloud) SetClock(clock func() time.Time) {
	if clock == nil {
		clock = time.Now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock, c.offset = clock, 0
}

// AdvanceClock moves the cloud's time forwards by d, or backwards when d is
// negative. Moves add up until the next SetClock.
func (c *Cloud) AdvanceClock(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// serves tells whether a host name is one of this cloud's.
func (c *Cloud) serves(host string) bool {
	if _, ok := authorityOf(host); ok {
		return true
	}
	return c.registry(host) != nil || c.frontAt(strings.ToLower(host)) != nil
}

// registry is the registry that answers at host, or nil.
func (c *Cloud) registry(host string) *Registry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registries[strings.ToLower(host)]
}

// closeLater has Close close x too. When the cloud is closed already, x is
// closed here.
func (c *Cloud) closeLater(x io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		x.Close()
	default:
		c.closers = append(c.closers, x)
	}
}

// listenLoopback refuses any address from which another machine could reach a
// server that hands out credentials for the asking.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listening on %q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listening on %q: not a loopback address", address)
	}
	return net.Listen("tcp", address)
}
