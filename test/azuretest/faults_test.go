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

func TestCloud_Fault(t *testing.T) {
	const realBody, html, evil = `{"refresh_token":"`, "text/html", "https://evil.example/"
	replace := func(b []byte) []byte { return bytes.ReplaceAll(b, []byte("refresh_"), []byte("other_")) }
	for _, tt := range []struct {
		name        string
		fault       Fault
		status      int
		header      string
		headerValue string
		body        string // its start
		length      int    // of the body; -1 for any
	}{
		{"status", Fault{Status: 503, Body: "<html>", ContentType: html}, 503, "Content-Type", html, "<html>", 6},
		{"empty body", Fault{Status: 502}, 502, "", "", "", 0},
		{"header", Fault{Status: 429, Header: http.Header{"retry-after": {"7"}}}, 429, "Retry-After", "7", "", 0},
		{"body", Fault{Body: "{}"}, 200, "Content-Type", "application/json; charset=utf-8", "{}", 2},
		{"redirect", Fault{Redirect: evil}, 307, "Location", evil, "", 0},
		{"redirect with status", Fault{Redirect: evil, Status: 303}, 303, "Location", evil, "", 0},
		{"latency", Fault{Latency: time.Millisecond}, 200, "", "", realBody, -1},
		{"mutate", Fault{Mutate: replace}, 200, "", "", `{"other_token":"`, -1},
		{"content type", Fault{ContentType: html}, 200, "Content-Type", html, realBody, -1},
		{"oversize", Fault{Oversize: 1 << 20}, 200, "", "", "    ", 1 << 20},
		{"other method", Fault{Method: "GET", Status: 500}, 200, "", "", realBody, -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t)
			f.Fault(testHost, "/oauth2/*", tt.fault)
			a := f.exchange(f.app.AccessToken(acrResource, 0))
			if a.StatusCode != tt.status || a.Header.Get(tt.header) != tt.headerValue ||
				!strings.HasPrefix(a.body, tt.body) || tt.length >= 0 && len(a.body) != tt.length {
				t.Errorf("%s %v %.200s", a.Status, a.Header, a.body)
			}
			if tt.fault.Oversize > 0 && !strings.HasSuffix(a.body, `"}`) {
				t.Error("the body doesn't end with the document")
			}
		})
	}
}

func TestCloud_Fault_order(t *testing.T) {
	f := newFixture(t)
	f.Fault(testHost, "/oauth2/exchange", Fault{Status: 503, Times: 2})
	f.Fault(testHost, "", Fault{Status: 429, Times: 1})
	f.Fault("fabrikam.azurecr.io", "", Fault{Status: 500})
	for _, want := range []int{503, 503, 429, 200} {
		if a := f.exchange(f.app.AccessToken(acrResource, 0)); a.StatusCode != want {
			t.Errorf("%s, want %d", a.Status, want)
		}
	}
}

func TestCloud_Fault_without_response(t *testing.T) {
	f := newFixture(t)
	f.Fault(testHost, "/v2/", Fault{CutOff: true})
	resp, err := f.client.Get("https://" + testHost + "/v2/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) == 0 {
		t.Errorf("CutOff: %q, %v", body, err)
	}
	f.ClearFaults()
	f.Fault(testHost, "/v2/", Fault{CloseConn: true})
	if _, err := f.client.Get("https://" + testHost + "/v2/"); !errors.Is(err, io.EOF) {
		t.Errorf("CloseConn: %v", err)
	}
	f.ClearFaults()
	f.Fault("", "", Fault{Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req := f.request("GET", "https://"+testHost+"/v2/", "").WithContext(ctx)
	if _, err := f.client.Do(req); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Hang: %v", err)
	}
}

func TestCloud_Close_ends_hanging_responses(t *testing.T) {
	f := newFixture(t)
	f.Fault("", "", Fault{Hang: true})
	ended := make(chan error)
	go func() {
		_, err := f.client.Get("https://" + testHost + "/v2/")
		ended <- err
	}()
	for f.Count("GET", testHost, "/v2/") == 0 {
		time.Sleep(time.Millisecond)
	}
	f.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("there is a response")
		}
	case <-time.After(10 * time.Second):
		t.Error("still hanging")
	}
}
