// Package secret holds the two types in which secrets travel through the
// program. Neither prints itself: whoever needs the bytes must call Reveal,
// which makes it the one word to search for in a review.
package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"time"
)

const redacted = "[redacted]"

// String is a password, token, assertion or key. The zero value is "no secret".
type String struct{ value string }

// New wraps a secret.
func New(value string) String { return String{value} }

// Reveal returns the secret itself, to be sent to the one place that it is for.
func (s String) Reveal() string { return s.value }

// IsZero says whether there is no secret at all.
func (s String) IsZero() bool { return s.value == "" }

// Fingerprint is a SHA-256 of the secret in hexadecimal. It tells secrets
// apart without holding them; "" for no secret. A short secret could be
// guessed from it, so hash it together with other things before it is stored.
func (s String) Fingerprint() string {
	if s.IsZero() {
		return ""
	}
	sum := sha256.Sum256([]byte(s.value))
	return hex.EncodeToString(sum[:])
}

// Format redacts under every verb of package fmt, %#v and %x included.
func (s String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String redacts.
func (s String) String() string { return redacted }

// LogValue redacts in log/slog.
func (s String) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText redacts in JSON, XML and whatever else encodes text.
func (s String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Token is a secret with an end.
type Token struct {
	Value String
	// Issued is when it was received, by the local clock.
	Issued time.Time
	// Expires is its end by the local clock; zero means not known, and then
	// the token is good for this once and must not be kept.
	Expires time.Time
}

// Alive says whether the token can still be used. A token from the future is
// not: the clock jumped back, and nobody knows how much of its life is left.
func (t Token) Alive(now time.Time) bool {
	return !now.Before(t.Issued) && now.Before(t.Expires)
}

// Fresh says whether more than half of the token's life is left. ACR tokens
// live three hours, and a push begun in a token's last minute must not break
// half-way.
func (t Token) Fresh(now time.Time) bool {
	return t.Alive(now) && now.Sub(t.Issued) < t.Expires.Sub(t.Issued)/2
}
