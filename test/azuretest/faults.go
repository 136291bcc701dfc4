package azuretest

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Fault is something that goes wrong with a request. Fields combine; what is
// left zero stays as the cloud would have answered. With Status, Body or
// Redirect set the real answer is never made.
type Fault struct {
	Method string // only requests of this method; "" means any
	Times  int    // the first n matching requests; 0 means until ClearFaults

	Latency   time.Duration // wait before anything else
	Hang      bool          // never answer; ends with the client or the cloud
	CloseConn bool          // cut the connection without an answer; Go clients repeat a GET then

	Status      int         // 200 when only Body is set, 307 when only Redirect is
	Header      http.Header // replaces headers of the same name
	ContentType string
	Body        string
	Redirect    string // Location

	Mutate   func([]byte) []byte // rewrites the body, the real one too
	Gzip     bool                // compresses, whether the client asked for it or not
	Oversize int64               // spaces before the body, up to this length in all
	CutOff   bool                // declare the whole length, send half, cut
}

// Fault arms f for requests to host and path. An empty host or path matches
// any, a path that ends in * by its beginning. Several faults for one request
// take turns: the first that has Times left is used. A fault for a foreign host
// plays the attacker's server.
func (c *Cloud) Fault(host, path string, f Fault) {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.armed = append(c.faults.armed, &armedFault{Fault: f, host: strings.ToLower(host), path: path, left: f.Times})
}

// ClearFaults disarms every fault. Answers that hang already go on hanging.
func (c *Cloud) ClearFaults() {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.armed = nil
}

type faultList struct {
	mu    sync.Mutex
	armed []*armedFault
}

type armedFault struct {
	Fault
	host, path string
	left       int
}

// take finds the fault for a request and uses it up by one.
func (l *faultList) take(method, host, path string) (Fault, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, a := range l.armed {
		if !matches(a.Method, method) || !matches(a.host, host) || !matches(a.path, path) {
			continue
		}
		if a.Times > 0 {
			if a.left--; a.left == 0 {
				l.armed = append(l.armed[:i:i], l.armed[i+1:]...)
			}
		}
		return a.Fault, true
	}
	return Fault{}, false
}

// run answers a request the faulty way. next makes the real answer.
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
	if f.onlyDelays() {
		next.ServeHTTP(w, r)
		return
	}
	f.send(w, f.answer(r, next))
}

// onlyDelays tells whether the real answer may go out as it is made, chunks and
// streams included, without being held back first.
func (f Fault) onlyDelays() bool {
	return !f.replaces() && f.Header == nil && f.ContentType == "" && f.Mutate == nil &&
		!f.Gzip && f.Oversize == 0 && !f.CutOff
}

// replaces tells whether the fault is the answer. If so the real one must not be
// made: it could mint a token, or use up an upload.
func (f Fault) replaces() bool { return f.Status != 0 || f.Body != "" || f.Redirect != "" }

// answer is the answer to spoil: the fault's own, or the real one.
func (f Fault) answer(r *http.Request, next http.Handler) *capture {
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

// send writes the answer out, spoilt as asked.
func (f Fault) send(w http.ResponseWriter, a *capture) {
	body := a.body.Bytes()
	if f.Mutate != nil {
		body = f.Mutate(body)
	}
	if f.Gzip {
		body = compress(body)
		a.header.Set("Content-Encoding", "gzip")
	}
	for name, values := range a.header {
		w.Header()[name] = values
	}
	length := max(int64(len(body)), f.Oversize)
	if f.CutOff {
		length = max(length, 2) // an empty body can't be cut
	}
	w.Header().Set("Content-Length", strconv.FormatInt(length, 10))
	w.WriteHeader(a.status)
	reader := io.MultiReader(io.LimitReader(blanks{}, length-int64(len(body))), bytes.NewReader(body))
	if f.CutOff {
		io.CopyN(w, reader, length/2)
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	io.Copy(w, reader)
}

// blanks reads as spaces without end. They come before the body because JSON
// allows them there: a client without a limit accepts the answer, and one that
// cuts at its limit can't find a whole document in what is left.
type blanks struct{}

func (blanks) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = ' '
	}
	return len(b), nil
}

func compress(body []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(body)
	z.Close()
	return out.Bytes()
}

// A capture is an answer held back.
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
