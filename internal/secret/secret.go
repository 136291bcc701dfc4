// Package secret holds the two types in which secrets travel through the program. Neither
// prints itself: only Reveal returns the bytes, so it is the one word to search for in a
// review.
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

// Reveal returns the secret itself, to be sent to the one place that it is meant for.
func (s String) Reveal() string { return s.value }

// IsZero reports whether there is no secret at all.
func (s String) IsZero() bool { return s.value == "" }

// Fingerprint returns the SHA-256 of the secret in hexadecimal, which tells secrets apart
// without containing them; "" for no secret. A short secret could be guessed from it, so
// hash it together with other things before storing it.
func (s String) Fingerprint() string {
	if s.value == "" {
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

// MarshalText redacts in JSON, XML and every other encoding of text.
func (s String) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Token is a secret that expires.
type Token struct {
	Value String
	// Issued is when it was received, by the local clock.
	Issued time.Time
	// Expires is when it ends, by the local clock. Zero means unknown: then it is used
	// once and not cached.
	Expires time.Time
}

// IsValid reports whether the token can still be used. A token from the future can't: the
// clock was set back, and how much of the token's life is left is unknown.
func (t Token) IsValid(now time.Time) bool {
	return !now.Before(t.Issued) && now.Before(t.UsableUntil())
}

// UsableUntil returns when the token counts as ended: a pull that begins in its last seconds
// fails.
func (t Token) UsableUntil() time.Time { return t.Expires.Add(-Margin(t.Expires.Sub(t.Issued))) }

// Margin returns how long before its end a token counts as ended: a minute, but a twentieth
// of its life at most.
func Margin(life time.Duration) time.Duration { return min(time.Minute, life/20) }

// IsFresh reports whether more than half of the token's life is left. ACR tokens live
// three hours, and a push that begins in a token's last minute must not fail halfway.
func (t Token) IsFresh(now time.Time) bool {
	return t.IsValid(now) && t.Expires.Sub(now) > t.Expires.Sub(t.Issued)/2
}

// RenewAt returns when half of the token's life is over.
func (t Token) RenewAt() time.Time { return t.Issued.Add(t.Expires.Sub(t.Issued) / 2) }
