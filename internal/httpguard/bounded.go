package httpguard

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// requestTimeout limits one request with its response. Entra and ACR respond within a
// second; a whole get has 30 s for two or three requests.
const requestTimeout = 10 * time.Second

// Bounded returns a transport that ends every request in time, whatever the server does:
// within ten seconds, or when the request's context ends. It reads the whole body, of
// which more than limit bytes are an error, before it returns the response; redirects
// and informational responses have none. net/http alone doesn't promise this: after a
// status 101 it reads from the connection without minding the context.
func Bounded(base http.RoundTripper, limit int64) http.RoundTripper { return &bounded{base, limit} }

type bounded struct {
	base  http.RoundTripper
	limit int64
}

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), requestTimeout)
	type result struct {
		resp *http.Response
		err  error
	}
	results := make(chan result, 1) // buffered: a late result is dropped, and its goroutine ends
	go func() {
		defer cancel()
		resp, err := b.base.RoundTrip(req.WithContext(ctx))
		if err == nil {
			b.readBody(ctx, resp)
		}
		results <- result{resp, err}
	}()
	select {
	case r := <-results:
		return r.resp, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-results: // it ended at the same moment, which ended ctx
		return r.resp, r.err
	default:
		return nil, ctx.Err()
	}
}

// readBody replaces the body with what was read of it, followed by the error that ended
// the reading. The connection is closed when ctx ends, which ends a read that doesn't
// mind ctx.
func (b *bounded) readBody(ctx context.Context, resp *http.Response) {
	body := resp.Body
	defer body.Close()
	defer context.AfterFunc(ctx, func() { body.Close() })()
	resp.Body = http.NoBody
	if resp.StatusCode < 200 || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return
	}
	content, err := io.ReadAll(http.MaxBytesReader(nil, body, b.limit))
	resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), failing{err}))
}

// A failing reader returns an error; nil for the end.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}
