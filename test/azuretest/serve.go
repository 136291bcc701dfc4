package azuretest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// maxBody is how much of a body is recorded. Blobs and manifests aren't recorded.
const maxBody = 1 << 20

// serve records a request and responds with a fault, or else as the requested host.
func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	entry := c.recordRequest(r)
	sw := &statusWriter{ResponseWriter: w}
	defer func() {
		c.record.update(entry, func(e *Request) { e.Status = sw.status })
	}()
	r = r.WithContext(context.WithValue(r.Context(), entryKey{}, func(why string) {
		c.record.update(entry, func(e *Request) { e.Why = why })
	}))
	w.Header().Set("Date", c.Now().UTC().Format(http.TimeFormat))
	next := http.HandlerFunc(c.dispatch)
	if f, ok := c.faults.take(r.Method, entry.Host, entry.Path); ok {
		note(r, "a fault was set")
		f.run(sw, r, c.done, next)
		return
	}
	next(sw, r)
}

// dispatch responds as the requested host. Azure's hosts don't listen on port 80, except for the managed identity
// endpoints, so other plain requests get no response.
func (c *Cloud) dispatch(w http.ResponseWriter, r *http.Request) {
	if c.serveIdentityEndpoint(w, r) {
		return
	}
	host := hostname(r.Host)
	if r.TLS == nil {
		note(r, "plain HTTP")
		panic(http.ErrAbortHandler)
	}
	if h := c.extraHostFor(r); h != nil {
		h.serve(w, r)
		return
	}
	if a, ok := authorityOf(host); ok {
		c.serveEntra(w, r, a, host)
		return
	}
	if reg := c.registry(host); reg != nil {
		reg.serve(w, r)
		return
	}
	http.Error(w, "no such host in this cloud", http.StatusNotFound)
}

// recordRequest records a request and restores its body.
func (c *Cloud) recordRequest(r *http.Request) *Request {
	host := hostname(r.Host)
	entry := &Request{
		Time: c.Now(), Scheme: "https", Method: r.Method, Host: host, Path: r.URL.Path,
		Query: r.URL.Query(), Header: r.Header.Clone(), Kind: c.kindOf(host, r.URL.Path),
	}
	if h := c.extraHostFor(r); h != nil {
		entry.Kind = h.kind
	}
	if r.TLS == nil {
		entry.Scheme = "http"
	}
	if entry.Kind == KindForeign {
		c.record.noteForeign(host)
	}
	if entry.Kind != KindData {
		entry.Body, _ = io.ReadAll(io.LimitReader(r.Body, maxBody))
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(entry.Body), r.Body))
	}
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/x-www-form-urlencoded" {
		entry.Form, _ = url.ParseQuery(string(entry.Body))
	}
	c.record.open(entry)
	return entry
}

// entryKey is the context key of the function that note calls.
type entryKey struct{}

// note records why a request was refused, which Azure's responses often don't say.
func note(r *http.Request, why string) {
	if f, ok := r.Context().Value(entryKey{}).(func(string)); ok {
		f(why)
	}
}

// A statusWriter stores the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController flush the underlying writer.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeJSON sends v with the content type that Entra and ACR both use.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v)
}

// hostname returns a Host header without its port, in lower case.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	return strings.ToLower(hostport)
}
