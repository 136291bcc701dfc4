package azuretest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const exchangeURL = "https://" + testHost + "/oauth2/exchange"

func TestFaults(t *testing.T) {
	real := `{"refresh_token":"`
	tests := []struct {
		name   string
		fault  Fault
		status int
		check  func(a answer) bool
	}{
		{
			"status",
			Fault{Status: 503, Body: "<html>", ContentType: "text/html"},
			503,
			func(a answer) bool { return string(a.body) == "<html>" && a.Header.Get("Content-Type") == "text/html" },
		},
		{"empty", Fault{Status: 502}, 502, func(a answer) bool { return len(a.body) == 0 }},
		{"header", Fault{Status: 429, Header: http.Header{"retry-after": {"7"}}}, 429, func(a answer) bool { return a.Header.Get("Retry-After") == "7" }},
		{"body", Fault{Body: "{}"}, 200, func(a answer) bool {
			return string(a.body) == "{}" && strings.HasPrefix(a.Header.Get("Content-Type"), "application/json")
		}},
		{"redirect", Fault{Redirect: "https://evil.example/"}, 307, func(a answer) bool { return a.Header.Get("Location") == "https://evil.example/" }},
		{"see other", Fault{Redirect: "https://evil.example/", Status: 303}, 303, func(a answer) bool { return true }},
		{"latency", Fault{Latency: time.Millisecond}, 200, func(a answer) bool { return strings.HasPrefix(string(a.body), real) }},
		{
			"mutate",
			Fault{Mutate: func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("refresh_"), []byte("other_")) }},
			200,
			func(a answer) bool { return strings.HasPrefix(string(a.body), `{"other_token":"`) },
		},
		{
			"content type",
			Fault{ContentType: "text/html"},
			200,
			func(a answer) bool {
				return strings.HasPrefix(string(a.body), real) && a.Header.Get("Content-Type") == "text/html"
			},
		},
		{"gzip", Fault{Gzip: true}, 200, func(a answer) bool { return a.Uncompressed && strings.HasPrefix(string(a.body), real) }},
		{"oversize", Fault{Oversize: 1 << 20}, 200, func(a answer) bool { return len(a.body) == 1<<20 && strings.HasSuffix(string(a.body), `"}`) }},
		{"other method", Fault{Method: "GET", Status: 500}, 200, func(a answer) bool { return true }},
	}
	w := newWorld(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.ClearFaults()
			w.Fault(testHost, "/oauth2/*", tt.fault)
			if a := w.exchange(w.app.AccessToken(acrResource, 0)); a.StatusCode != tt.status || !tt.check(a) {
				t.Errorf("%s %v %.200s", a.Status, a.Header, a.body)
			}
		})
	}
}

func TestFaultsTakeTurns(t *testing.T) {
	w := newWorld(t)
	w.Fault(testHost, "/oauth2/exchange", Fault{Status: 503, Times: 2})
	w.Fault(testHost, "", Fault{Status: 429, Times: 1})
	w.Fault("fabrikam.azurecr.io", "", Fault{Status: 500})
	for _, want := range []int{503, 503, 429, 200} {
		if a := w.exchange(w.app.AccessToken(acrResource, 0)); a.StatusCode != want {
			t.Errorf("%s, want %d", a.Status, want)
		}
	}
}

func TestBrokenConnections(t *testing.T) {
	w := newWorld(t)
	w.Fault(testHost, "/v2/", Fault{CutOff: true})
	resp, err := w.client.Get("https://" + testHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
		t.Errorf("cut off: %q, %v", body, err)
	}
	w.ClearFaults()
	w.Fault(testHost, "/v2/", Fault{CloseConn: true})
	if _, err := w.client.Get("https://" + testHost + "/v2/"); !errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
	w.ClearFaults()
	w.Fault("", "", Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req := w.request("GET", "https://"+testHost+"/v2/", "").WithContext(ctx)
	if _, err := w.client.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v", err)
	}
}

// Close must not wait for answers that never come.
func TestCloseEndsHangingAnswers(t *testing.T) {
	w := newWorld(t)
	w.Fault("", "", Fault{Hang: true})
	ended := make(chan error)
	go func() {
		_, err := w.client.Get("https://" + testHost + "/v2/")
		ended <- err
	}()
	for w.Count("GET", testHost, "/v2/") == 0 {
		time.Sleep(time.Millisecond)
	}
	w.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("answered")
		}
	case <-time.After(10 * time.Second):
		t.Error("still hanging")
	}
}
