package azuretest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// A signer makes and checks the cloud's JSON Web Tokens (RFC 7519), all RS256.
// Entra and the registries share its key; their issuers tell them apart.
type signer struct {
	kid string
	key func() *rsa.PrivateKey
}

// newSigner begins to make the key at once and returns without waiting for it:
// 2048 bits, which the tokens' size depends on, may take a few hundred milliseconds.
func newSigner() *signer {
	s := &signer{kid: randomText(20)}
	s.key = sync.OnceValue(func() *rsa.PrivateKey {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(fmt.Sprintf("azuretest: making an RSA key: %v", err))
		}
		return key
	})
	go s.key()
	return s
}

// sign returns claims as a compact JWT. The header carries kid and x5t, as
// Entra's version 1.0 tokens do.
func (s *signer) sign(claims any) string {
	header := map[string]string{"typ": "JWT", "alg": "RS256", "kid": s.kid, "x5t": s.kid}
	input := segment(header) + "." + segment(claims)
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key(), crypto.SHA256, digest[:])
	if err != nil {
		panic(fmt.Sprintf("azuretest: signing a token: %v", err))
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// errNotJWT is a token without the form of one, which ACR answers with 400
// rather than 401.
var errNotJWT = errors.New("not a JSON Web Token")

// verify checks algorithm and signature and decodes the claims. Times, issuer
// and audience are the caller's business.
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
		return errors.New("signed by a stranger")
	}
	sig, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return errNotJWT
	}
	digest := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&s.key().PublicKey, crypto.SHA256, digest[:], sig); err != nil {
		return errors.New("bad signature")
	}
	return decodeSegment(parts[1], claims)
}

// segment encodes one part of a JWT. Claims are this package's own types, so
// they always marshal.
func segment(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("azuretest: encoding a token: %v", err))
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// decodeSegment calls anything that can't be decoded errNotJWT.
func decodeSegment(s string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return errNotJWT
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return errNotJWT
	}
	return nil
}

// newGUID returns a random UUID (RFC 9562 §5.4), the form of Azure's ids.
func newGUID() string {
	b := make([]byte, 16)
	rand.Read(b)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// randomText is n random bytes in URL-safe text.
func randomText(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
