// Package guard makes HTTP clients that talk to exactly one host. A client of
// its making sends nothing to anybody else, follows no redirect, reads no more
// than it should, repeats what is worth repeating, ends in time, and says in one
// sentence what went wrong without quoting a byte of an answer.
package guard

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// How long one request may take, and how often it is repeated. Entra and ACR
// answer within a second; a whole get has 30 s for two or three requests.
const (
	requestTimeout = 10 * time.Second
	repeats        = 2
	firstPause     = 200 * time.Millisecond
	lastPause      = 400 * time.Millisecond
	// inlineRetryAfter is the longest Retry-After worth waiting for; whoever
	// waits longer should say so and end.
	inlineRetryAfter = 5 * time.Second
)

// New returns a client for https requests to one host. Answers of more than
// limit bytes are an error, and so is a 200 that isn't JSON. Requests go out
// through base.
func New(base http.RoundTripper, host string, limit int64, log *slog.Logger) *http.Client {
	inner := &http.Client{
		Transport:     &transport{base: base, host: host, limit: limit, log: log},
		CheckRedirect: dontFollow,
		Timeout:       requestTimeout,
	}
	return &http.Client{
		CheckRedirect: dontFollow,
		Transport: &retryablehttp.RoundTripper{Client: &retryablehttp.Client{
			HTTPClient:   inner,
			RetryMax:     repeats,
			RetryWaitMin: firstPause,
			RetryWaitMax: lastPause,
			CheckRetry:   worthRepeating,
			Backoff:      pause,
			ErrorHandler: retryablehttp.PassthroughErrorHandler,
		}},
	}
}

func dontFollow(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

type transport struct {
	base  http.RoundTripper
	host  string
	limit int64
	log   *slog.Logger
}

// RoundTrip sends one request and checks what can be checked of its answer.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" || req.URL.Host != t.host {
		// For example a token endpoint that a hostile OpenID document names.
		return nil, &Error{Host: t.host, Why: "was to be left for another host, which is refused", Hint: CodeStranger}
	}
	req.Header.Del("Accept-Encoding") // so that base unpacks the answer before it is measured
	t.log.Debug("request", "method", req.Method, "host", t.host, "path", req.URL.Path)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		failure := Explain(t.host, err)
		t.log.Debug("no answer", "host", t.host, "why", failure.Why)
		return nil, failure
	}
	t.log.Debug("answer", "host", t.host, "status", resp.StatusCode, "correlation", Correlation(resp.Header))
	if err := check(t.host, resp); err != nil {
		resp.Body.Close()
		return nil, err
	}
	resp.Body = &body{ReadCloser: http.MaxBytesReader(nil, resp.Body, t.limit), host: t.host}
	return resp, nil
}

func check(host string, resp *http.Response) error {
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return &Error{Host: host, Why: "answered with a redirect, which is not followed", Hint: CodeRedirect}
	case resp.StatusCode == http.StatusOK && !isJSON(resp.Header):
		return &Error{Host: host, Why: "answered with something else than JSON", Hint: CodeNotJSON}
	}
	return nil
}

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// Correlation is the id under which Microsoft's support finds a request; ""
// for none.
func Correlation(h http.Header) string {
	for _, name := range []string{"X-Ms-Correlation-Request-Id", "X-Ms-Request-Id"} {
		if id := h.Get(name); id != "" && len(id) <= 64 && printable(id) {
			return id
		}
	}
	return ""
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// body explains errors that come while an answer is read.
type body struct {
	io.ReadCloser
	host string
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = Explain(b.host, err)
	}
	return n, err
}

// worthRepeating repeats what a moment may mend: throttling and gateways that
// ask for no long wait, connections that broke.
func worthRepeating(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		var failure *Error
		return errors.As(err, &failure) && failure.Hint == CodeBroken, nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return RetryAfter(resp) <= inlineRetryAfter, nil
	}
	return false, nil
}

func pause(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if wait := RetryAfter(resp); wait > 0 {
			return wait
		}
	}
	return retryablehttp.LinearJitterBackoff(shortest, longest, attempt, nil)
}
