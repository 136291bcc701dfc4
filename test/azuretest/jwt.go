package azuretest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// signingKey returns the RSA key of all issuers in this process; their key IDs differ. It has 2048 bits, because the
// tokens' size depends on it, and may take a few hundred milliseconds to generate.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	return must(rsa.GenerateKey(rand.Reader, 2048))
})

// A signer signs and verifies JSON Web Tokens (RFC 7519) with RS256. Entra and the registries of a cloud share one;
// the claim iss tells their tokens apart.
type signer struct{ kid string }

func newSigner() *signer { return &signer{kid: randomText(20)} }

// sign returns claims as a compact JWT. The header has kid and x5t, as in Entra's version 1.0 tokens.
func (s *signer) sign(claims any) string {
	header := map[string]string{"typ": "JWT", "alg": "RS256", "kid": s.kid, "x5t": s.kid}
	input := segment(header) + "." + segment(claims)
	digest := sha256.Sum256([]byte(input))
	return input + "." + base64URL(must(rsa.SignPKCS1v15(rand.Reader, signingKey(), crypto.SHA256, digest[:])))
}

// issue signs claims and adds the token to the canaries.
func (c *Cloud) issue(s *signer, claims any) string {
	token := s.sign(claims)
	c.canaries.add(token)
	return token
}

// errNotJWT is the error for a malformed token, for which ACR sends 400 instead of 401.
var errNotJWT = errors.New("not a JSON Web Token")

// verify checks algorithm and signature and decodes the claims. The caller checks times, issuer and audience.
func (s *signer) verify(token string, claims any) error {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errNotJWT
	}
	var header struct{ Alg, Kid string }
	if err := decodeSegment(parts[0], &header); err != nil {
		return err
	}
	if header.Alg != "RS256" || header.Kid != s.kid {
		return errors.New("unknown signing key")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return errNotJWT
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&signingKey().PublicKey, crypto.SHA256, digest[:], sig); err != nil {
		return errors.New("bad signature")
	}
	return decodeSegment(parts[1], claims)
}

// segment encodes one part of a JWT.
func segment(v any) string { return base64URL(mustJSON(v)) }

// decodeSegment returns errNotJWT for all errors.
func decodeSegment(s string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(raw, into) != nil {
		return errNotJWT
	}
	return nil
}

// mustJSON encodes v, which is of a type that encoding/json supports.
func mustJSON(v any) []byte { return must(json.Marshal(v)) }

// must panics after an error that only a mistake in this package or a computer without free ports can cause.
func must[T any](v T, err error) T {
	if err != nil {
		panic("azuretest: " + err.Error())
	}
	return v
}

func base64URL(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// newGUID returns a random UUID (RFC 9562 §5.4), the form of Azure's IDs.
func newGUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// randomText returns n random bytes as base64url.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64URL(b)
}
