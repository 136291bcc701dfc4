package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

func TestString_is_never_printed(t *testing.T) {
	const canary = "c4n4ry"
	s := secret.New(canary)
	token := secret.Token{Value: s}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", &s)
		fmt.Fprintf(&out, verb+"\n", token)
		fmt.Fprintf(&out, verb+"\n", struct{ Inner secret.String }{s})
	}
	fmt.Fprintln(&out, s, s.String(), fmt.Errorf("wrapped: %v", s))
	for _, v := range []any{s, token, map[string]secret.String{"k": s}} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(b)
	}
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "token", token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "secret", s, "token", token)

	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary)} {
		if strings.Contains(out.String(), form) {
			t.Errorf("the output holds %q:\n%s", form, out.String())
		}
	}
	if s.Reveal() != canary {
		t.Errorf("Reveal() = %q", s.Reveal())
	}
}

func TestString_Fingerprint(t *testing.T) {
	if got := secret.New("").Fingerprint(); got != "" {
		t.Errorf("no secret has the fingerprint %q", got)
	}
	if a, b := secret.New("a").Fingerprint(), secret.New("b").Fingerprint(); a == b || len(a) != 64 {
		t.Errorf("fingerprints %q and %q", a, b)
	}
}

func TestToken_IsValid_and_IsFresh(t *testing.T) {
	issued := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token := secret.Token{Issued: issued, Expires: issued.Add(3 * time.Hour)}
	for _, row := range []struct {
		after        time.Duration
		alive, fresh bool
	}{
		{-time.Second, false, false}, // the clock jumped back
		{0, true, true},
		{90*time.Minute - time.Second, true, true},
		{90 * time.Minute, true, false},
		{3*time.Hour - time.Minute - time.Second, true, false},
		{3*time.Hour - time.Minute, false, false}, // a pull that begins now fails
		{3*time.Hour - time.Second, false, false},
		{3 * time.Hour, false, false},
	} {
		now := issued.Add(row.after)
		if token.IsValid(now) != row.alive || token.IsFresh(now) != row.fresh {
			t.Errorf("after %v: alive %v, fresh %v; want %v, %v", row.after, token.IsValid(now), token.IsFresh(now), row.alive, row.fresh)
		}
	}
	if (secret.Token{Issued: issued}).IsValid(issued) {
		t.Error("a token without an end is alive")
	}
	short := secret.Token{Issued: issued, Expires: issued.Add(20 * time.Second)}
	if !short.IsValid(issued.Add(18*time.Second)) || short.IsValid(issued.Add(19*time.Second)) {
		t.Error("of a life of 20 s, the last second does not count as ended, or more does")
	}
	if !short.IsFresh(issued.Add(9*time.Second)) || short.IsFresh(issued.Add(10*time.Second)) {
		t.Error("a life of 20 s is not renewed in the middle")
	}
}
