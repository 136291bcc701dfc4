package azuretest

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault changes the response to a request. Fields combine; zero fields don't change it. With Status, Body or
// Redirect the request isn't processed at all.
type Fault struct {
	Method string // only requests of this method; "" means any
	Times  int    // the first n matching requests; 0 means until ClearFaults

	Latency   time.Duration // wait before anything else
	Hang      bool          // no response until the client or the cloud closes the connection
	CloseConn bool          // close the connection without a response; Go clients retry a GET then

	Status      int         // by default 200, with Redirect 307
	Header      http.Header // replaces headers of the same name
	ContentType string
	Body        string
	Redirect    string // Location

	Mutate   func([]byte) []byte // changes the body
	Oversize int64               // adds spaces before the body, up to this total length
	CutOff   bool                // declares the whole length, but sends half
}

// Fault adds f for requests to host and path. An empty host or path matches any, a trailing * any suffix. If several
// faults match a request, the oldest that has Times left is used. A fault for a foreign host imitates an attacker's
// server.
func (c *Cloud) Fault(host, path string, f Fault) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.active = append(c.faults.active, &activeFault{f, strings.ToLower(host), path, f.Times})
}

// ClearFaults removes all faults. Requests that hang already keep hanging.
func (c *Cloud) ClearFaults() {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.active = nil
}

type faultList struct {
	mu     sync.Mutex
	active []*activeFault
}

type activeFault struct {
	Fault
	host, path string
	left       int // 0 means unlimited
}

// take returns the fault for a request, and counts its use.
func (l *faultList) take(method, host, path string) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.active {
		if !matches(a.Method, method) || !matches(a.host, host) || !matches(a.path, path) {
			continue
		}
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				l.active = append(l.active[:i:i], l.active[i+1:]...)
			}
		}
		return a.Fault, true
	}
	return Fault{}, false
}

// run responds to a request with the fault. next sends the real response.
func (f Fault) run(w http.ResponseWriter, r *http.Request, done <-chan struct{}, next http.Handler) {
	wait := time.NewTimer(f.Latency)
	defer wait.Stop()
	tick := wait.C
	if f.Hang {
		tick = nil
	}
	select {
	case <-tick:
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	case <-done:
		panic(http.ErrAbortHandler)
	}
	if f.CloseConn {
		panic(http.ErrAbortHandler)
	}
	f.send(w, f.response(r, next))
}

// replaces reports whether the fault is the whole response. If so the request must not be processed: that could issue
// a token or finish an upload.
func (f Fault) replaces() bool { return f.Status != 0 || f.Body != "" || f.Redirect != "" }

// response returns the fault's response, or the real one with the fault's headers.
func (f Fault) response(r *http.Request, next http.Handler) *capture {
	a := &capture{header: http.Header{}, status: f.Status}
	if f.replaces() {
		a.body.WriteString(f.Body)
	} else {
		next.ServeHTTP(a, r)
	}
	if f.Redirect != "" {
		a.header.Set("Location", f.Redirect)
		a.setStatus(http.StatusTemporaryRedirect)
	}
	a.setStatus(http.StatusOK)
	if f.ContentType != "" {
		a.header.Set("Content-Type", f.ContentType)
	} else if f.replaces() && strings.HasPrefix(f.Body, "{") {
		a.header.Set("Content-Type", "application/json; charset=utf-8")
	}
	for name, values := range f.Header {
		a.header[http.CanonicalHeaderKey(name)] = values
	}
	return a
}

// send sends a response with the fault's body and length.
func (f Fault) send(w http.ResponseWriter, a *capture) {
	body := a.body.Bytes()
	if f.Mutate != nil {
		body = f.Mutate(body)
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	length := max(int64(len(body)), f.Oversize)
	if f.CutOff {
		length = max(length, 2) // half of an empty body would be the whole
	}
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(a.status)
	reader := io.MultiReader(io.LimitReader(spaces{}, length-int64(len(body))), bytes.NewReader(body))
	if f.CutOff {
		io.CopyN(w, reader, length/2)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	io.Copy(w, reader)
}

// spaces is an endless reader of spaces. JSON allows them before the document: a client without a size limit accepts
// the response, and one that truncates at its limit doesn't get a whole document.
type spaces struct{}

func (spaces) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

// A capture is a buffered response.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *capture) Header() http.Header         { return a.header }
func (a *capture) Write(b []byte) (int, error) { a.setStatus(http.StatusOK); return a.body.Write(b) }
func (a *capture) WriteHeader(status int)      { a.setStatus(status) }

func (a *capture) setStatus(status int) {
	if a.status == 0 {
		a.status = status
	}
}
