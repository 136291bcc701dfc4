package exchange_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
)

// jwt returns an ACR token whose signature is not valid.
func jwt(format string, args ...any) string {
	encode := base64.RawURLEncoding.EncodeToString
	claims := fmt.Sprintf(format, args...)
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature"))
}

func TestAccept(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	host := parseHost(t, "contoso.azurecr.io")
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	const ours = `{"aud":"contoso.azurecr.io"`
	for _, row := range []struct {
		what, token string
		life        time.Duration // 0 for an error
	}{
		{"fresh", jwt(ours+`,"iat":%d,"exp":%d}`, at(0), at(3*time.Hour)), 3 * time.Hour},
		{"stale", jwt(ours+`,"iat":%d,"exp":%d}`, at(-90*time.Minute), at(90*time.Minute)), 90 * time.Minute},
		{"from a clock that is ahead", jwt(ours+`,"iat":%d,"exp":%d}`, at(time.Hour), at(4*time.Hour)), 3 * time.Hour},
		{"several audiences", jwt(`{"aud":["x","contoso.azurecr.io"],"exp":%d}`, at(time.Hour)), time.Hour},
		{"a year", jwt(ours+`,"exp":%d}`, at(365*24*time.Hour)), 3 * time.Hour},
		{"short", jwt(ours+`,"iat":%d,"exp":%d}`, at(0), at(20*time.Second)), 20 * time.Second},
		{"expired", jwt(ours+`,"exp":%d}`, at(-time.Second)), 0},
		{"in its last minute", jwt(ours+`,"iat":%d,"exp":%d}`, at(time.Minute-3*time.Hour), at(time.Minute)), 0},
		{"for another registry", jwt(`{"aud":"fabrikam.azurecr.io","exp":%d}`, at(time.Hour)), 0},
		{"no end", jwt(ours + `}`), 0},
		{"no JSON inside", jwt(`{`), 0},
		{"no token", "hunter2", 0},
		{"two parts", "a.b", 0},
		{"nothing", "", 0},
		{"too long", jwt(ours+`,"exp":%d,"x":"%s"}`, at(time.Hour), strings.Repeat("x", 20_000)), 0},
	} {
		got, _, err := exchange.Accept(host, row.token, now)
		if (err == nil) != (row.life > 0) || err == nil && got.Expires.Sub(now) != row.life {
			t.Errorf("%s: a life of %v, %v; want %v", row.what, got.Expires.Sub(now), err, row.life)
		}
		if err != nil && row.token != "" && strings.Contains(err.Error(), row.token) {
			t.Errorf("%s: the error quotes the token", row.what)
		}
	}
}

// A clock that is hours ahead looks like a token that has expired, so the error shows both times.
func TestAccept_shows_the_clock(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	token := jwt(`{"aud":"contoso.azurecr.io","iat":%d,"exp":%d}`, now.Add(-5*time.Hour).Unix(), now.Add(-2*time.Hour).Unix())
	_, _, err := exchange.Accept(parseHost(t, "contoso.azurecr.io"), token, now)
	const want = "it ended at 2027-01-15T06:00:00Z, and this computer's clock says 2027-01-15T08:00:00Z"
	if fault.CodeOf(err) != fault.RegistryExpired || err.Error() != want {
		t.Errorf("%s: %v", fault.CodeOf(err), err)
	}
}
