package guard_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
)

var quiet = slog.New(slog.DiscardHandler)

// a transport that is a function
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func answer(status int, header http.Header, body string) *http.Response {
	if header.Get("Content-Type") == "" {
		header = header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func TestOnlyOneHostIsTalkedTo(t *testing.T) {
	client := guard.New(transport(func(r *http.Request) (*http.Response, error) {
		t.Errorf("a request reached %s", r.URL)
		return answer(200, nil, "{}"), nil
	}), "contoso.azurecr.io", 100, quiet)
	for _, url := range []string{
		"https://evil.example/oauth2/exchange",
		"http://contoso.azurecr.io/oauth2/exchange",
		"https://contoso.azurecr.io:8443/oauth2/exchange",
		"https://contoso.azurecr.io.evil.example/",
	} {
		_, err := client.Get(url)
		if got := guard.Explain("contoso.azurecr.io", err); got.Code() != guard.CodeStranger {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestWhatIsRepeated(t *testing.T) {
	for _, row := range []struct {
		status     int
		retryAfter string
		requests   int
	}{
		{200, "", 1},
		{400, "", 1},
		{401, "", 1},
		{403, "", 1},
		{429, "", 3},
		{429, "60", 1},
		{500, "", 1}, // ACR's answer to a token that it can't digest
		{502, "", 3},
		{503, "", 3},
		{503, "3600", 1},
	} {
		requests := 0
		client := guard.New(transport(func(r *http.Request) (*http.Response, error) {
			requests++
			if body, _ := io.ReadAll(r.Body); string(body) != "the body" {
				t.Errorf("request %d has the body %q", requests, body)
			}
			return answer(row.status, http.Header{"Retry-After": {row.retryAfter}}, "{}"), nil
		}), "contoso.azurecr.io", 100, quiet)
		resp, err := client.Post("https://contoso.azurecr.io/", "text/plain", strings.NewReader("the body"))
		if err != nil || resp.StatusCode != row.status || requests != row.requests {
			t.Errorf("status %d, Retry-After %q: %d requests, %v", row.status, row.retryAfter, requests, err)
		}
	}
}

func TestABrokenConnectionIsTriedAgain(t *testing.T) {
	requests := 0
	client := guard.New(transport(func(*http.Request) (*http.Response, error) {
		if requests++; requests == 1 {
			return nil, io.ErrUnexpectedEOF
		}
		return answer(200, nil, "{}"), nil
	}), "contoso.azurecr.io", 100, quiet)
	if _, err := client.Get("https://contoso.azurecr.io/"); err != nil || requests != 2 {
		t.Errorf("%d requests, %v", requests, err)
	}
}

func TestExplain(t *testing.T) {
	const canary = "eyJhbGciOi"
	for _, row := range []struct {
		err  error
		code string
	}{
		{&net.DNSError{Err: canary, IsNotFound: true}, guard.CodeDNS},
		{&net.DNSError{Err: canary, IsTimeout: true}, guard.CodeTimeout},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, guard.CodeUnreachable},
		{&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}, guard.CodeProxy},
		{&net.OpError{Op: "proxyconnect", Err: &net.DNSError{IsNotFound: true}}, guard.CodeProxy},
		{syscall.ENETUNREACH, guard.CodeUnreachable},
		{syscall.ECONNRESET, guard.CodeBroken},
		{io.EOF, guard.CodeBroken},
		{context.DeadlineExceeded, guard.CodeTimeout},
		{context.Canceled, guard.CodeTimeout},
		{&http.MaxBytesError{Limit: 10}, guard.CodeTooLong},
		{tls.RecordHeaderError{Msg: canary}, guard.CodeTLS},
		{errors.New("malformed HTTP response " + canary), guard.CodeUnreachable},
		{&guard.Error{Host: "x", Why: "y", Hint: guard.CodeRedirect}, guard.CodeRedirect},
	} {
		got := guard.Explain("contoso.azurecr.io", fmt.Errorf("wrapped: %w", row.err))
		if got.Code() != row.code {
			t.Errorf("%v: %s (%s), want %s", row.err, got.Code(), got, row.code)
		}
		if strings.Contains(got.Error(), canary) {
			t.Errorf("%v: the sentence quotes it: %s", row.err, got)
		}
	}
}

func TestCertificatesThatAreNotTrusted(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	base := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	_, err := guard.New(base, "contoso.azurecr.io", 100, quiet).Get("https://contoso.azurecr.io/")
	if got := guard.Explain("contoso.azurecr.io", err); got.Code() != guard.CodeTLS {
		t.Errorf("%v", got)
	}
}

func TestAnswersAreChecked(t *testing.T) {
	for _, row := range []struct {
		what string
		resp *http.Response
		code string
	}{
		{"a redirect", answer(307, http.Header{"Location": {"https://evil.example/"}}, ""), guard.CodeRedirect},
		{"a 304", answer(304, nil, ""), guard.CodeRedirect},
		{"a page", answer(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), guard.CodeNotJSON},
		{"too much", answer(200, nil, strings.Repeat("x", 101)), guard.CodeTooLong},
		{"too much of an error", answer(400, nil, strings.Repeat("x", 101)), guard.CodeTooLong},
	} {
		client := guard.New(transport(func(*http.Request) (*http.Response, error) { return row.resp, nil }), "contoso.azurecr.io", 100, quiet)
		resp, err := client.Get("https://contoso.azurecr.io/")
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		if err == nil || guard.Explain("contoso.azurecr.io", err).Code() != row.code {
			t.Errorf("%s: %v", row.what, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Wed, 21 Oct 2026 07:28:00 GMT"
	for _, row := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", date, 0},
		{"5", date, 5 * time.Second},
		{" 5 ", date, 5 * time.Second},
		{"-5", date, 0},
		{"soon", date, 0},
		{"99999999999999999999", date, 0},
		{"999999999", date, 24 * time.Hour},
		{"Wed, 21 Oct 2026 07:30:00 GMT", date, 2 * time.Minute},
		{"Wed, 21 Oct 2026 07:20:00 GMT", date, 0},
		{"Wed, 21 Oct 2026 07:30:00 GMT", "", 0}, // by whose clock?
	} {
		resp := &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {row.value}, "Date": {row.date}}}
		if got := guard.RetryAfter(resp); got != row.want {
			t.Errorf("Retry-After %q at %q: %v, want %v", row.value, row.date, got, row.want)
		}
	}
}

func TestOnlyThrottlingAsksToWait(t *testing.T) {
	for status, want := range map[int]time.Duration{429: time.Minute, 503: time.Minute, 401: 0, 403: 0, 500: 0} {
		resp := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"60"}}}
		if got := guard.RetryAfter(resp); got != want {
			t.Errorf("status %d: %v", status, got)
		}
	}
}

func TestCorrelation(t *testing.T) {
	for value, want := range map[string]string{
		"5c2b6d1e-0000-4000-8000-000000000000": "5c2b6d1e-0000-4000-8000-000000000000",
		"":                                     "",
		"two words":                            "",
		strings.Repeat("x", 65):                "",
	} {
		if got := guard.Correlation(http.Header{"X-Ms-Correlation-Request-Id": {value}}); got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}
