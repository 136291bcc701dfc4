package httpguard_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
)

// The host of every test, and its one address.
const (
	host    = "contoso.azurecr.io"
	address = "https://" + host + "/"
)

// A transport is a function.
type transport func(*http.Request) (*http.Response, error)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t(r) }

func newClient(base http.RoundTripper) *httpguard.Client {
	return httpguard.New(base, host, 100, slog.New(slog.DiscardHandler))
}

// get sends a GET request.
func get(client *httpguard.Client, url string) (*http.Response, []byte, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		panic(err)
	}
	return client.Send(req)
}

func answer(status int, header http.Header, body string) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body))}
}

func TestNew_refuses_other_hosts(t *testing.T) {
	client := newClient(transport(func(r *http.Request) (*http.Response, error) {
		t.Errorf("a request reached %s", r.URL)
		return answer(200, nil, "{}"), nil
	}))
	for _, url := range []string{
		"https://evil.example/oauth2/exchange",
		"http://contoso.azurecr.io/oauth2/exchange",
		"https://contoso.azurecr.io:8443/oauth2/exchange",
		"https://contoso.azurecr.io.evil.example/",
	} {
		if _, _, err := get(client, url); fault.CodeOf(err) != fault.UnexpectedHost {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// The transport decompresses an answer, so that its length is known, only if the request doesn't ask for compression.
func TestNew_asks_for_no_compression(t *testing.T) {
	client := newClient(transport(func(r *http.Request) (*http.Response, error) {
		if got := r.Header.Get("Accept-Encoding"); got != "" {
			t.Errorf("Accept-Encoding: %s", got)
		}
		return answer(200, nil, "{}"), nil
	}))
	req, _ := http.NewRequest(http.MethodGet, address, nil)
	req.Header.Set("Accept-Encoding", "gzip")
	if _, _, err := client.Send(req); err != nil {
		t.Error(err)
	}
}

func TestNew_retries(t *testing.T) {
	const short = -1 // two pauses without a Retry-After
	for _, row := range []struct {
		status     int
		retryAfter string
		requests   int
		paused     time.Duration
	}{
		{200, "", 1, 0},
		{400, "", 1, 0},
		{401, "", 1, 0},
		{403, "", 1, 0},
		{429, "", 3, short},
		{429, "5", 3, 10 * time.Second},
		{429, "6", 1, 0},
		{500, "", 1, 0}, // ACR's answer to a token that it can't parse
		{502, "", 3, short},
		{503, "", 3, short},
		{503, "3600", 1, 0},
		{504, "", 3, short},
	} {
		synctest.Test(t, func(t *testing.T) { // so that pauses take no time
			requests, start := 0, time.Now()
			client := newClient(transport(func(r *http.Request) (*http.Response, error) {
				requests++
				if body, _ := io.ReadAll(r.Body); string(body) != "the body" {
					t.Errorf("request %d has the body %q", requests, body)
				}
				return answer(row.status, http.Header{"Retry-After": {row.retryAfter}}, "{}"), nil
			}))
			req, _ := http.NewRequest(http.MethodPost, address, strings.NewReader("the body"))
			resp, _, err := client.Send(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != row.status || requests != row.requests {
				t.Errorf("status %d, Retry-After %q: %d requests", row.status, row.retryAfter, requests)
			}
			paused := time.Since(start)
			isShort := 600*time.Millisecond <= paused && paused <= 1200*time.Millisecond
			if paused != row.paused && !(row.paused == short && isShort) {
				t.Errorf("status %d, Retry-After %q: paused %v, want %v", row.status, row.retryAfter, paused, row.paused)
			}
		})
	}
}

func TestNew_ends_in_time(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		requests, start := 0, time.Now()
		client := newClient(transport(func(r *http.Request) (*http.Response, error) {
			requests++
			<-r.Context().Done()
			return nil, r.Context().Err()
		}))
		_, _, err := get(client, address)
		synctest.Wait() // for the request that was given up
		if took := time.Since(start); fault.CodeOf(err) != fault.Timeout || requests != 1 || took != 10*time.Second {
			t.Errorf("%d requests in %v, %v", requests, took, err)
		}
	})
}

func TestNew_checks_answers(t *testing.T) {
	for _, row := range []struct {
		what string
		resp *http.Response
		code fault.Code
	}{
		{"a redirect", answer(307, http.Header{"Location": {"https://evil.example/"}}, ""), fault.Redirect},
		{"a redirect to the same host", answer(302, http.Header{"Location": {"/"}}, ""), fault.Redirect},
		{"a 304", answer(304, nil, ""), fault.Redirect},
		{"a page", answer(200, http.Header{"Content-Type": {"text/html"}}, "<html>"), fault.NotJSON},
		{"too much", answer(200, nil, strings.Repeat("x", 101)), fault.TooLong},
		{"too much of an error", answer(400, nil, strings.Repeat("x", 101)), fault.TooLong},
	} {
		requests := 0
		_, _, err := get(newClient(transport(func(*http.Request) (*http.Response, error) {
			requests++
			return row.resp, nil
		})), address)
		if fault.CodeOf(err) != row.code || requests != 1 {
			t.Errorf("%s: %d requests, %v", row.what, requests, err)
		}
	}
}

func TestExplain(t *testing.T) {
	const canary = "eyJhbGciOi"
	for _, row := range []struct {
		err  error
		code fault.Code
	}{
		{&net.DNSError{Err: canary, IsNotFound: true}, fault.DNS},
		{&net.DNSError{Err: canary, IsTimeout: true}, fault.Timeout},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, fault.Unreachable},
		{&net.OpError{Op: "proxyconnect", Err: syscall.ECONNREFUSED}, fault.Proxy},
		{&net.OpError{Op: "proxyconnect", Err: &net.DNSError{IsNotFound: true}}, fault.Proxy},
		{syscall.ENETUNREACH, fault.Unreachable},
		{syscall.ECONNRESET, fault.Broken},
		{io.EOF, fault.Broken},
		{context.DeadlineExceeded, fault.Timeout},
		{context.Canceled, fault.Timeout},
		{&http.MaxBytesError{Limit: 10}, fault.TooLong},
		{tls.RecordHeaderError{Msg: canary}, fault.TLS},
		{errors.New("malformed HTTP response " + canary), fault.Proxy},
		{errors.New("HTTP/1.x transport connection broken: malformed HTTP response " + canary), fault.Unreachable},
		{&fault.Error{Code: fault.Redirect, Subject: "x", Reason: "y"}, fault.Redirect},
	} {
		got := httpguard.Explain(host, fmt.Errorf("wrapped: %w", row.err))
		if got.Code != row.code {
			t.Errorf("%v: %s (%s), want %s", row.err, got.Code, got, row.code)
		}
		if strings.Contains(got.Error(), canary) {
			t.Errorf("%v: the sentence quotes it: %s", row.err, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Wed, 21 Oct 2026 07:28:00 GMT"
	for _, row := range []struct {
		status      int
		value, date string
		want        time.Duration
	}{
		{503, "", date, 0},
		{503, "5", date, 5 * time.Second},
		{503, " 5 ", date, 5 * time.Second},
		{503, "-5", date, 0},
		{503, "soon", date, 0},
		{503, "99999999999999999999", date, 0},
		{503, "999999999", date, 24 * time.Hour},
		{503, "Wed, 21 Oct 2026 07:30:00 GMT", date, 2 * time.Minute},
		{503, "Wed, 21 Oct 2026 07:20:00 GMT", date, 0},
		{503, "Wed, 21 Oct 2026 07:30:00 GMT", "", 0}, // the server's clock is unknown
		{429, "60", date, time.Minute},
		{401, "60", date, 0}, // only throttling and outages ask to wait
		{403, "60", date, 0},
		{500, "60", date, 0},
	} {
		got := httpguard.RetryAfter(&http.Response{
			StatusCode: row.status, Header: http.Header{"Retry-After": {row.value}, "Date": {row.date}},
		})
		if got != row.want {
			t.Errorf("status %d, Retry-After %q at %q: %v, want %v", row.status, row.value, row.date, got, row.want)
		}
	}
}

func TestCorrelationID(t *testing.T) {
	for value, want := range map[string]string{
		"5c2b6d1e-0000-4000-8000-000000000000": "5c2b6d1e-0000-4000-8000-000000000000",
		"":                                     "request",
		"two words":                            "request",
		strings.Repeat("x", 65):                "request",
	} {
		header := http.Header{"X-Ms-Correlation-Request-Id": {value}, "X-Ms-Request-Id": {"request"}}
		if got := httpguard.CorrelationID(header); got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
	if got := httpguard.CorrelationID(http.Header{"X-Ms-Request-Id": {"a\x1bb"}}); got != "" {
		t.Errorf("%q", got)
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Minute)
		defer cancel()
		start := time.Now()
		if err := httpguard.Sleep(ctx, time.Hour); err != nil || time.Since(start) != time.Hour {
			t.Errorf("slept %v, %v", time.Since(start), err)
		}
		if err := httpguard.Sleep(ctx, time.Hour); err != context.DeadlineExceeded || time.Since(start) != 90*time.Minute {
			t.Errorf("slept until %v, %v", time.Since(start), err)
		}
	})
}
