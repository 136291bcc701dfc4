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

// maxBody is how much of a body is kept for the record. Blobs and manifests
// pass by unrecorded.
const maxBody = 1 << 20

// serve is the way of every request: write it down, let a fault have it, else
// answer as the host that was asked.
func (c *Cloud) serve(w http.ResponseWriter, r *http.Request) {
	entry := c.enter(r)
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

// dispatch answers as the host that was asked. But for a machine's endpoints
// nothing listens on port 80 of Azure's hosts, so a plain request, once recorded, gets no answer.
func (c *Cloud) dispatch(w http.ResponseWriter, r *http.Request) {
	if c.serveMachine(w, r) {
		return
	}
	host := hostname(r.Host)
	if r.TLS == nil {
		note(r, "plain HTTP")
		panic(http.ErrAbortHandler)
	}
	if f := c.frontOf(r); f != nil {
		f.serve(w, r)
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

// enter records a request and puts its body back in place.
func (c *Cloud) enter(r *http.Request) *Request {
	host := hostname(r.Host)
	entry := &Request{
		Time: c.Now(), Scheme: "https", Method: r.Method, Host: host, Path: r.URL.Path,
		Query: r.URL.Query(), Header: r.Header.Clone(), Kind: c.kindOf(host, r.URL.Path),
	}
	if f := c.frontOf(r); f != nil {
		entry.Kind = f.kind
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

// entryKey is the context key of the function that notes a refusal's reason.
type entryKey struct{}

// note records why a request was refused, which Azure's answers often hide.
func note(r *http.Request, why string) {
	if f, ok := r.Context().Value(entryKey{}).(func(string)); ok {
		f(why)
	}
}

// A statusWriter remembers the status of an answer.
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

// Unwrap lets http.ResponseController flush the writer beneath.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// writeJSON sends v with the content type that Entra and ACR both use.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v)
}

// hostname is a Host header without its port, in lower case.
func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		hostport = host
	}
	return strings.ToLower(hostport)
}
