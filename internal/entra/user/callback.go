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
	"time"
)

const (
	// maxRequest limits what a browser may send; Entra's codes have one or two kilobytes.
	maxRequest = 64 << 10
	// shutdownTimeout is how long the browser may take to fetch the last page.
	shutdownTimeout = time.Second
	// maxPorts is how many ports are tried on both loopback addresses.
	maxPorts = 3
)

// A callback is where a browser returns to after a user has signed in: a port on
// loopback, open for one sign-in. Every program and web page on this computer can reach
// it, so only a request with the state counts.
type callback struct {
	address string          // the redirect URI
	state   string          // what the browser has to send back
	results chan url.Values // gets what the authorization endpoint sent: code, or error and error_description

	port    string
	server  *http.Server
	ended   chan struct{} // closed when outcome is set
	outcome error
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
		address: "http://localhost:" + port, state: rand.Text(), results: make(chan url.Values, 1),
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

// loopback tries a few ports: another program may have a port on ::1 alone, and would get
// the browser's request.
func loopback(ctx context.Context) ([]net.Listener, error) {
	var config net.ListenConfig
	for attempt := 1; ; attempt++ {
		v4, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		port := v4.Addr().(*net.TCPAddr).Port
		v6, err := config.Listen(ctx, "tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
		switch {
		case err == nil:
			return []net.Listener{v4, v6}, nil
		case attempt == maxPorts:
			return []net.Listener{v4}, nil
		}
		v4.Close()
	}
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

// ServeHTTP accepts one request: the one with the right state. Everything else (icons,
// scanners, other pages' attempts) is rejected, and the wait goes on. The browser gets
// its answer when the tokens have arrived, not before.
func (c *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	values, status := c.parse(w, r)
	switch {
	case status != 0:
		writePage(w, status, http.StatusText(status), "There is nothing here.")
		return
	case subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(c.state)) != 1:
		writePage(w, http.StatusBadRequest, "This is not the current sign-in.",
			"Go back to the terminal, and open the address that it shows.")
		return
	}
	select {
	case c.results <- values:
	default: // the same again, from a reload: it gets the same answer
	}
	select {
	case <-r.Context().Done():
		return
	case <-c.ended:
	}
	if c.outcome != nil { // errors of this program have no text of a server
		writePage(w, http.StatusBadRequest, "You are not signed in.",
			"The reason: "+c.outcome.Error()+". The terminal says what to do.")
		return
	}
	writePage(w, http.StatusOK, "You are signed in.", "You can close this window.")
}

// parse returns what Entra's page sent, as a query or a form. A status other than 0
// rejects the request.
func (c *callback) parse(w http.ResponseWriter, r *http.Request) (values url.Values, status int) {
	hosts := []string{"localhost:" + c.port, "127.0.0.1:" + c.port, "[::1]:" + c.port}
	switch {
	case !slices.Contains(hosts, r.Host): // another name that points here (DNS rebinding)
		return nil, http.StatusMisdirectedRequest
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
