// Package httpguard has an HTTP client that talks to exactly one host. It sends nothing
// to any other host, follows no redirect, reads no more than it should, retries what is
// worth retrying, ends in time, and says in one sentence what went wrong without quoting
// the answer.
package httpguard

import (
	"context"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// How often a request is retried, and when.
const (
	maxRetries = 2
	firstPause = 200 * time.Millisecond
	lastPause  = 400 * time.Millisecond
)

// MaxRetryAfter is the longest Retry-After that is worth waiting for before a retry; a
// longer wait is an error.
const MaxRetryAfter = 5 * time.Second

// A Client talks to one host. It is safe for many goroutines.
type Client struct {
	http *http.Client
	host string
}

// New returns a client for https requests to one host. Answers of more than limit bytes
// are an error, and so is a 200 that isn't JSON. Requests go out through base.
func New(base http.RoundTripper, host string, limit int64, log *slog.Logger) *Client {
	client := &retryablehttp.Client{
		// transport refuses redirects, so neither this client nor the one around it sees
		// one that it could follow.
		HTTPClient: &http.Client{Transport: &transport{base: Bounded(base, limit), host: host, log: log}},
		RetryMax:   maxRetries, RetryWaitMin: firstPause, RetryWaitMax: lastPause,
		CheckRetry: shouldRetry, Backoff: pause, ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return &Client{client.StandardClient(), host}
}

// Send sends a request and reads the whole answer; the answer's own Body is closed then.
// The error is always a *fault.Error.
func (c *Client) Send(req *http.Request) (*http.Response, []byte, error) {
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, Explain(c.host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, Explain(c.host, err)
	}
	return resp, body, nil
}

// transport sends one request, to one host, and checks what can be checked of its answer.
type transport struct {
	base http.RoundTripper
	host string
	log  *slog.Logger
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme != "https" || req.URL.Host != t.host { // for example a token endpoint of a hostile OpenID document
		return nil, RefuseHost(t.host)
	}
	req.Header.Del("Accept-Encoding") // so that base decompresses the answer before it is measured
	t.log.Debug("request", "method", req.Method, "host", t.host, "path", req.URL.Path)
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		failed := Explain(t.host, err)
		t.log.Debug("request failed", "host", t.host, "error", failed.Reason)
		return nil, failed
	}
	t.log.Debug("response", "host", t.host, "status", resp.StatusCode, "correlation-id", CorrelationID(resp.Header))
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		err = &fault.Error{Code: fault.Redirect, Subject: t.host}
	case resp.StatusCode == http.StatusOK && !IsJSON(resp.Header): // a proxy's sign-in page, for example
		err = &fault.Error{Code: fault.NotJSON, Subject: t.host}
	default:
		return resp, nil
	}
	resp.Body.Close()
	return nil, err
}

// RefuseHost is the error for a request to another host than the one that the client is
// for.
func RefuseHost(host string) *fault.Error {
	return &fault.Error{Code: fault.UnexpectedHost, Subject: host}
}

// IsJSON reports whether an answer's header says that it is JSON.
func IsJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// CorrelationID returns the id under which Microsoft's support finds a request; "" for
// none.
func CorrelationID(h http.Header) string {
	for _, name := range []string{"X-Ms-Correlation-Request-Id", "X-Ms-Request-Id"} {
		if id := h.Get(name); len(id) <= 64 && text.IsVisible(id) {
			return id
		}
	}
	return ""
}

// shouldRetry retries what may pass in a moment: throttling and gateways that ask for no
// long wait, and connections that broke. A timeout isn't one of them: the user has waited
// long enough.
func shouldRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return fault.Is(err, fault.Broken), nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return RetryAfter(resp) <= MaxRetryAfter, nil
	}
	return false, nil
}

// pause is what the server asks for; otherwise short and random, so that many
// processes don't come back at once.
func pause(shortest, longest time.Duration, attempt int, resp *http.Response) time.Duration {
	if resp != nil {
		if wait := RetryAfter(resp); wait > 0 {
			return wait
		}
	}
	return retryablehttp.LinearJitterBackoff(shortest, longest, attempt, nil)
}

// Sleep waits for d, or returns the context's error when that ends earlier.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
