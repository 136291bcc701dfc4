package managedidentity

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// A fakeIMDS gives one answer after the other: "200", "410", "429 3" with a Retry-After, "broken", "hang". The last one
// is repeated. The probe isn't counted.
type fakeIMDS struct {
	answers  string
	requests int
}

func (f *fakeIMDS) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Metadata") == "" {
		return answer(http.StatusBadRequest, `{"error":"bad_request_102"}`), nil
	}
	answers := strings.Split(f.answers, ", ")
	status, after, _ := strings.Cut(answers[min(f.requests, len(answers)-1)], " ")
	f.requests++
	switch status {
	case "broken":
		return nil, io.ErrUnexpectedEOF
	case "hang":
		<-req.Context().Done()
		return nil, req.Context().Err()
	case "200":
		return answer(http.StatusOK, `{"access_token":"x","expires_in":"60"}`), nil
	}
	number, err := strconv.Atoi(status)
	if err != nil {
		panic(err)
	}
	resp := answer(number, `{"error":"unavailable"}`)
	if after != "" {
		resp.Header.Set("Retry-After", after)
	}
	return resp, nil
}

func answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		Body: io.NopCloser(strings.NewReader(body)),
	}
}

// TestClient_AccessToken_retries runs with a clock that moves on while all wait.
func TestClient_AccessToken_retries(t *testing.T) {
	for _, name := range variables {
		t.Setenv(name, "")
	}
	for _, row := range []struct {
		answers  string
		requests int
		code     fault.Code
		longest  time.Duration
	}{
		{"200", 1, "", 0},
		{"404, 200", 2, "", time.Second},
		{"410, 410, 200", 3, "", 2 * time.Second},
		{"429, 500, 503, 200", 4, "", 4 * time.Second},
		{"429 3, 200", 2, "", 3 * time.Second},
		{"503 5, 200", 2, "", 5 * time.Second},
		{"429 6, 200", 1, fault.EndpointThrottled, 0},
		{"broken, 200", 2, "", time.Second},
		{"400, 200", 1, fault.EndpointOther, 0},
		{"hang, 200", 1, fault.Timeout, 10 * time.Second},
		{"404", 7, fault.EndpointUnavailable, totalTimeout}, // another cloud's metadata service, too
		{"410", 7, fault.EndpointUnavailable, totalTimeout},
		{"429 5", 3, fault.EndpointThrottled, totalTimeout},
		{"broken", 7, fault.Broken, totalTimeout},
	} {
		t.Run(row.answers, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				imds := &fakeIMDS{answers: row.answers}
				c := Client{Transport: imds, Getenv: os.Getenv, Now: time.Now, Log: quiet}
				began := time.Now()
				_, err := c.AccessToken(t.Context(), identity.Identity{Endpoint: identity.IMDS}, "https://"+row.answers)
				synctest.Wait() // for a request that was given up
				if fault.CodeOf(err) != row.code || (err == nil) != (row.code == "") || imds.requests != row.requests {
					t.Errorf("%v after %d requests", err, imds.requests)
				}
				if took := time.Since(began); took > row.longest {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestClient_AccessToken_without_IMDS is any computer outside Azure: whatever is at the address, the error is the same
// and can be remembered.
func TestClient_AccessToken_without_IMDS(t *testing.T) {
	for _, name := range variables {
		t.Setenv(name, "")
	}
	for what, dial := range map[string]func(context.Context) (net.Conn, error){
		"no answer, detected": func(context.Context) (net.Conn, error) {
			client, server := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, server) }()
			return client, nil
		},
		"refused connection": func(context.Context) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		},
		"no connection": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"no connection, detected": func(ctx context.Context) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return dial(ctx)
				}}
				c := Client{Transport: transport, Getenv: os.Getenv, Now: time.Now, Log: quiet}
				began := time.Now()
				_, err := c.AccessToken(t.Context(), identity.Identity{
					Endpoint: identity.IMDS, Detected: strings.HasSuffix(what, "detected"),
				}, "https://"+what)
				if !fault.Is(err, fault.IMDSAbsent) || fault.RetryAfter(err) != absentFor {
					t.Errorf("%v, wait %v", err, fault.RetryAfter(err))
				}
				if took := time.Since(began); took > probeTimeout {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// TestClient_AccessToken_canceled: a caller that cancels proves nothing about the computer.
func TestClient_AccessToken_canceled(t *testing.T) {
	f := newFixture(t, identity.IMDS)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := f.client().AccessToken(ctx, f.identity(identity.IMDS, "none"), registry.Audience)
	if !fault.Is(err, fault.Timeout) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
