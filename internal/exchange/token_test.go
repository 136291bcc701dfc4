package exchange_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
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
		{"expired", jwt(ours+`,"exp":%d}`, at(-time.Second)), 0},
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
