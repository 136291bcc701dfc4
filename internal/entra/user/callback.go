package user

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"html"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

const (
	// maxRequest limits what a browser may send; Entra's codes have one or two kilobytes.
	maxRequest = 64 << 10
	// shutdownTimeout is how long the browser may take to fetch the last page.
	shutdownTimeout = time.Second
	// maxPorts is how many ports are tried on both loopback addresses.
	maxPorts = 20
)

// A callback is a port on loopback, open for one sign-in: its start address sends a
// browser to the sign-in page, and the browser returns to it after the user has signed
// in. Every program and web page on this computer can reach it. So only the user's own
// programs are answered, where the system tells whose they are, and only a request with
// the state counts. The sign-in page's address, which has the state, is never an argument
// of another program, because other users can read those.
type callback struct {
	address string // the redirect URI
	start   string // the path of the start address
	state   string // what the browser has to send back
	results chan result

	port    string
	server  *http.Server
	page    atomic.Pointer[string] // the address of the sign-in page
	opened  atomic.Bool            // whether the start address was fetched by an unknown user
	ended   chan struct{}          // closed when outcome is set
	outcome error
}

// A result is what the authorization endpoint sent (code, or error and
// error_description), or why the sign-in must not go on.
type result struct {
	values url.Values
	err    error
}

// listen listens on both loopback addresses, because browsers differ in which one
// localhost is. A computer without IPv6 has one.
func listen(ctx context.Context) (*callback, error) {
	listeners, err := loopback(ctx)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listeners[0].Addr().String())
	c := &callback{
		address: "http://localhost:" + port, start: "/" + rand.Text(), state: rand.Text(), results: make(chan result, 1),
		port: port, ended: make(chan struct{}),
	}
	c.server = &http.Server{
		Handler: c, ReadTimeout: 10 * time.Second, IdleTimeout: time.Second, MaxHeaderBytes: maxRequest,
		ErrorLog: log.New(io.Discard, "", 0), // requests of other programs don't concern the user
	}
	c.server.SetKeepAlivesEnabled(false) // so that close doesn't wait for browsers that keep connections
	for _, listener := range listeners {
		go c.server.Serve(listener)
	}
	return c, nil
}

// loopback listens on the same port of both addresses. If the computer has IPv6, it never
// listens on one alone: another user's program on the other one would get the browser's
// request.
func loopback(ctx context.Context) ([]net.Listener, error) {
	var config net.ListenConfig
	for attempt := 1; ; attempt++ {
		v4, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil || !hasIPv6() {
			return []net.Listener{v4}, err
		}
		port := v4.Addr().(*net.TCPAddr).Port
		v6, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		if err == nil {
			return []net.Listener{v4, v6}, nil
		}
		v4.Close()
		if attempt == maxPorts {
			return nil, err
		}
	}
}

// hasIPv6 reports whether the computer has IPv6's loopback address. Failing to listen there
// proves nothing: another user may hold all ports.
func hasIPv6() bool {
	addresses, err := net.InterfaceAddrs()
	return err != nil || slices.ContainsFunc(addresses, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		return ok && network.IP.Equal(net.IPv6loopback)
	})
}

// close tells the user how the sign-in ended, and stops listening.
func (c *callback) close(outcome error) {
	c.outcome = outcome
	close(c.ended)
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if c.server.Shutdown(ctx) != nil {
		c.server.Close()
	}
}

// ServeHTTP redirects from the start address to the sign-in page, and accepts one request
// with the right state. Everything else (icons, scanners, other pages' and users'
// attempts) is rejected, and the wait goes on. The browser gets its answer when the
// tokens have arrived, not before.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own, known := isOwn(r)
	values, status := c.parse(w, r)
	switch {
	case known && !own:
		writePage(w, http.StatusForbidden, "Another user started this sign-in.",
			"Start your own sign-in in your terminal.")
		return
	case status == 0 && r.URL.Path == c.start:
		c.redirect(w, known)
		return
	case status != 0:
		writePage(w, status, http.StatusText(status), "There is nothing here.")
		return
	case subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(c.state)) != 1:
		writePage(w, http.StatusBadRequest, "This sign-in is no longer active.",
			"Go back to the terminal and open the address shown there.")
		return
	}
	select {
	case c.results <- result{values: values}:
	default: // the same again, from a reload: it gets the same answer
	}
	select {
	case <-r.Context().Done():
		return
	case <-c.ended:
	}
	if c.outcome != nil { // errors of this program have no text of a server
		writePage(w, http.StatusBadRequest, "Sign-in failed.",
			"Reason: "+c.outcome.Error()+". See the terminal for what to do next.")
		return
	}
	writePage(w, http.StatusOK, "You are signed in.", "You can close this window.")
}

// redirect sends a browser to the sign-in page. Where it isn't known whose browser it is,
// only the first one gets there: a second one means that another program, perhaps
// another user's, knows the address, and may have been the first.
func (c *callback) redirect(w http.ResponseWriter, known bool) {
	page := c.page.Load()
	switch {
	case page == nil:
		writePage(w, http.StatusNotFound, http.StatusText(http.StatusNotFound), "There is nothing here.")
		return
	case !known && c.opened.Swap(true):
		select {
		case c.results <- result{err: &fault.Error{Code: fault.SignInOpened}}:
		default:
		}
		writePage(w, http.StatusForbidden, "This address was already opened.", "Go back to the terminal.")
		return
	}
	w.Header().Set("Location", *page)
	writePage(w, http.StatusFound, "Sign in", "Your browser opens the sign-in page.")
}

// parse returns what Entra's page sent, as a query or a form. A status other than 0
// rejects the request.
func (c *callback) parse(w http.ResponseWriter, r *http.Request) (values url.Values, status int) {
	hosts := []string{"localhost:" + c.port, "127.0.0.1:" + c.port, "[::1]:" + c.port}
	switch {
	case !slices.Contains(hosts, r.Host): // another name that points here (DNS rebinding)
		return nil, http.StatusMisdirectedRequest
	case r.URL.Path == c.start && r.Method == http.MethodGet:
		return nil, 0
	case r.URL.Path != "/" && r.URL.Path != "":
		return nil, http.StatusNotFound
	case r.Method == http.MethodGet:
		values = r.URL.Query()
	case r.Method == http.MethodPost:
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		if r.ParseForm() != nil {
			return nil, http.StatusBadRequest
		}
		values = r.PostForm
	default:
		return nil, http.StatusMethodNotAllowed
	}
	for _, several := range values {
		if len(several) != 1 { // RFC 6749 §3.1
			return nil, http.StatusBadRequest
		}
	}
	return values, 0
}

// The page of a callback, which needs no other file.
const (
	style = `body{font:1.1em system-ui,sans-serif;max-width:34em;margin:20vh auto;padding:0 1em;` +
		`color-scheme:light dark}`
	page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>` + style + `</style></head>
<body><h1>{title}</h1><p>{text}</p></body></html>
`
)

// writePage writes a page that can do nothing but be read: it loads nothing, sends
// nothing, and isn't cached, for its address may have a code.
func writePage(w http.ResponseWriter, status int, title, text string) {
	sum := sha256.Sum256([]byte(style))
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) +
			"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Content-Type":                 "text/html; charset=utf-8",
		"Cache-Control":                "no-store",
		"Referrer-Policy":              "no-referrer",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
		"Cross-Origin-Resource-Policy": "same-origin",
	} {
		w.Header().Set(name, value)
	}
	w.WriteHeader(status)
	replace := strings.NewReplacer("{title}", html.EscapeString(title), "{text}", html.EscapeString(text))
	_, _ = io.WriteString(w, replace.Replace(page))
}
