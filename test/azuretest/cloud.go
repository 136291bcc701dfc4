package azuretest

import (
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A Cloud is a fake Azure: its authorities, tenants and registries behind a single loopback listener. Methods are
// safe for concurrent use.
type Cloud struct {
	listener net.Listener
	server   *http.Server
	certs    *certificates
	signer   *signer
	record   recorder
	faults   faultList
	canaries canarySet
	done     chan struct{} // closed by Close, ends hanging responses
	closing  sync.Once

	// mu guards everything below and all fields of tenants, principals and registries: one lock makes a change of
	// roles and secrets atomic.
	mu           sync.Mutex
	clock        func() time.Time
	offset       time.Duration
	tenants      []*Tenant
	registries   map[string]*Registry  // by host; a region is a second host
	extraHosts   map[string]*extraHost // by host, in lower case
	issuers      []*Issuer
	closers      []io.Closer
	identityHost *ManagedIdentityHost // nil until AddManagedIdentityHost
	signIns      signInState
}

// New starts a cloud on a free loopback port: it issues credentials to anyone who asks, so other machines must not
// reach it. It knows Azure's authorities, but no tenants or registries yet. Close it when done.
func New() (*Cloud, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &Cloud{
		signer:     newSigner(),
		done:       make(chan struct{}),
		clock:      time.Now,
		registries: map[string]*Registry{},
		extraHosts: map[string]*extraHost{},
		signIns:    newSignInState(),
	}
	c.certs = newCertificates(c.noteServerName)
	c.listener = newSniffer(listener, c.certs.config())
	c.server = newServer(c.serve)
	go c.server.Serve(c.listener)
	return c, nil
}

// newServer returns a server that logs nothing: tests include clients that don't trust the root certificate.
func newServer(handler http.HandlerFunc) *http.Server {
	return &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
}

// A TB is the part of testing.TB that Start needs. Declaring it here keeps package testing, and its flags, out of
// programs that import this package.
type TB interface {
	Helper()
	Cleanup(func())
	Fatal(args ...any)
}

// Start is New for a test: the cloud is closed when the test ends.
func Start(t TB) *Cloud {
	t.Helper()
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Close stops the cloud and its proxies. Connections and hanging responses end at once. Closing twice is fine.
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

// Addr returns the host:port of the listener that serves every host name.
func (c *Cloud) Addr() string { return c.listener.Addr().String() }

// Now returns the cloud's time, which dates every token, check and Date header.
func (c *Cloud) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

// locked calls f with mu held.
func (c *Cloud) locked(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

// now is Now for callers that hold mu.
func (c *Cloud) now() time.Time { return c.clock().Add(c.offset) }

// SetClock replaces the cloud's clock; nil means time.Now. TLS certificates don't depend on it. The function must not
// call methods of the cloud.
func (c *Cloud) SetClock(clock func() time.Time) {
	if clock == nil {
		clock = time.Now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock, c.offset = clock, 0
}

// AdvanceClock moves the cloud's time forwards by d, or backwards when d is negative. Moves add up until the next
// SetClock.
func (c *Cloud) AdvanceClock(d time.Duration) { c.locked(func() { c.offset += d }) }

// serves reports whether this cloud serves a host name.
func (c *Cloud) serves(host string) bool {
	if _, ok := authorityOf(host); ok {
		return true
	}
	return c.registry(host) != nil || c.extraHost(strings.ToLower(host)) != nil
}

// registry returns the registry at host, or nil.
func (c *Cloud) registry(host string) *Registry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.registries[strings.ToLower(host)]
}

// closeLater makes Close close x too. If the cloud is closed already, closeLater closes x itself.
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
