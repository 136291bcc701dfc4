package machine

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/guard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// An IMDS that answers in turn: "200", "410", "429 3" with a Retry-After, "cut",
// "hang". The last one is repeated. The probe isn't counted.
type script struct {
	answers string
	asked   int
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Metadata") == "" {
		return answer(http.StatusBadRequest, `{"error":"bad_request_102"}`), nil
	}
	answers := strings.Split(s.answers, ", ")
	step := answers[min(s.asked, len(answers)-1)]
	s.asked++
	status, after, _ := strings.Cut(step, " ")
	switch status {
	case "cut":
		return nil, io.ErrUnexpectedEOF
	case "hang":
		<-req.Context().Done()
		return nil, req.Context().Err()
	case "200":
		return answer(http.StatusOK, `{"access_token":"x","expires_in":"60"}`), nil
	}
	known := map[string]int{"400": 400, "404": 404, "410": 410, "429": 429, "500": 500, "503": 503}
	resp := answer(known[status], `{"error":"trouble"}`)
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

// TestRepeats runs under a clock that goes forward by itself while everybody
// waits.
func TestRepeats(t *testing.T) {
	for _, name := range variables {
		t.Setenv(name, "")
	}
	for _, row := range []struct {
		answers string
		asked   int
		code    string
		longest time.Duration
	}{
		{"200", 1, "", 0},
		{"404, 200", 2, "", time.Second},
		{"410, 410, 200", 3, "", 2 * time.Second},
		{"429, 500, 503, 200", 4, "", 4 * time.Second},
		{"429 3, 200", 2, "", 3 * time.Second},
		{"503 5, 200", 2, "", 5 * time.Second},
		{"429 6, 200", 1, CodeThrottled, 0},
		{"cut, 200", 2, "", time.Second},
		{"400, 200", 1, CodeOther, 0},
		{"hang, 200", 1, guard.CodeTimeout, attemptLimit},
		{"404", 7, CodeTrouble, callLimit}, // another cloud's metadata service, too
		{"410", 7, CodeTrouble, callLimit},
		{"429 5", 3, CodeThrottled, callLimit},
		{"cut", 7, guard.CodeBroken, callLimit},
	} {
		t.Run(row.answers, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				imds := &script{answers: row.answers}
				c := Client{Transport: imds, Getenv: os.Getenv, Now: time.Now, Log: quiet}
				began := time.Now()
				_, err := c.Token(t.Context(), identity.Identity{Endpoint: identity.IMDS}, "https://"+row.answers)
				if code(err) != row.code || (err == nil) != (row.code == "") || imds.asked != row.asked {
					t.Errorf("%v after %d requests", err, imds.asked)
				}
				if took := time.Since(began); took > row.longest {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
