// Package door is where a browser comes back to when a person has signed in: a port
// on loopback, open for one sign-in, and the page that says how it ended.
package door

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const (
	// maxReturn bounds what a browser may bring back; Entra's codes have one or
	// two kilobytes.
	maxReturn = 64 << 10
	// goodbye is how long the browser may take to fetch the last page.
	goodbye = time.Second
)

// A Door is open to every program and web page of this machine. Only who knows the
// state gets through.
type Door struct {
	// Address is the redirect URI.
	Address string
	// State is what the browser has to bring back.
	State string
	// Arrived gets one Arrival.
	Arrived <-chan Arrival

	port   string
	server *http.Server

	arrived chan Arrival
	ended   chan struct{} // closed once outcome is known
	outcome error
}

// An Arrival is what the authorization endpoint sent: a code, or an error.
type Arrival struct{ Code, Err, Description string }

// Open listens on both loopbacks, because browsers differ in which localhost is.
// A machine without IPv6 has one.
func Open(ctx context.Context) (*Door, error) {
	listeners, err := listen(ctx)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	arrived := make(chan Arrival, 1)
	d := &Door{
		Address: "http://localhost:" + port, State: rand.Text(), Arrived: arrived,
		port: port, arrived: arrived, ended: make(chan struct{}),
	}
	d.server = &http.Server{
		Handler: d, ReadTimeout: 10 * time.Second, IdleTimeout: time.Second, MaxHeaderBytes: maxReturn,
		ErrorLog: log.New(io.Discard, "", 0), // whatever knocks isn't the user's concern
	}
	d.server.SetKeepAlivesEnabled(false)
	for _, listener := range listeners {
		go d.server.Serve(listener)
	}
	return d, nil
}

// listen tries a few ports: another program may hold a port on ::1 alone, and
// would be sent the browser.
func listen(ctx context.Context) ([]net.Listener, error) {
	var config net.ListenConfig
	for try := 0; ; try++ {
		first, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		port := first.Addr().(*net.TCPAddr).Port
		second, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		switch {
		case err == nil:
			return []net.Listener{first, second}, nil
		case try == 2:
			return []net.Listener{first}, nil
		}
		first.Close()
	}
}

// Close tells the person how it ended, and stops listening.
func (d *Door) Close(outcome error) {
	d.outcome = outcome
	close(d.ended)
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	if d.server.Shutdown(ctx) != nil {
		d.server.Close()
	}
}

// ServeHTTP lets one request through: the one with the right state. Everything
// else (icons, scanners, other pages' attempts) is turned away, and the wait goes
// on. The browser gets its answer when the tokens are there, not before.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	headers(w.Header())
	hosts := []string{"localhost:" + d.port, "127.0.0.1:" + d.port, "[::1]:" + d.port}
	switch {
	case !slices.Contains(hosts, r.Host):
		// Some name that was made to point here (DNS rebinding).
		turnAway(w, http.StatusMisdirectedRequest)
		return
	case r.URL.Path != "/" && r.URL.Path != "":
		turnAway(w, http.StatusNotFound)
		return
	}
	back, known, status := d.read(w, r)
	if status != 0 {
		turnAway(w, status)
		return
	}
	if !known {
		say(w, http.StatusBadRequest, "This is not the sign-in that is waiting.", "Go back to the terminal, and open the address that is shown there.")
		return
	}
	select {
	case d.arrived <- back:
	default: // the same again, from a reload: it gets the same answer
	}
	select {
	case <-d.ended:
		report(w, d.outcome)
	case <-r.Context().Done():
	}
}

// read takes what Entra's page sent, by query or by form. known says whether it
// has the right state.
func (d *Door) read(w http.ResponseWriter, r *http.Request) (back Arrival, known bool, status int) {
	var values url.Values
	switch r.Method {
	case http.MethodGet:
		values = r.URL.Query()
	case http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxReturn)
		if r.ParseForm() != nil {
			return Arrival{}, false, http.StatusBadRequest
		}
		values = r.PostForm
	default:
		return Arrival{}, false, http.StatusMethodNotAllowed
	}
	for _, several := range values {
		if len(several) != 1 { // RFC 6749 §3.1
			return Arrival{}, false, http.StatusBadRequest
		}
	}
	known = subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(d.State)) == 1
	return Arrival{values.Get("code"), values.Get("error"), values.Get("error_description")}, known, 0
}
