package signin

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

// A memory is what is kept of a person between runs. It is a secret as a whole;
// whoever keeps it needn't know what is in it.
type memory struct {
	// Cache is MSAL's, in the format that all MSALs share.
	Cache json.RawMessage `json:"cache"`
	// Claims is what the next sign-in must satisfy.
	Claims string `json:"claims,omitempty"`
}

// Asked is what a refusal asks of the next sign-in, for Request; "" for nothing.
func Asked(err error) string {
	if refused := new(authority.Error); errors.As(err, &refused) {
		return refused.Claims
	}
	return ""
}

// Claims is what the last refusal asked of the next sign-in, for Request; ""
// for nothing, or for a memory that can't be read.
func Claims(kept secret.String) string {
	m, err := decode(kept)
	if err != nil {
		return ""
	}
	return m.Claims
}

func decode(kept secret.String) (*memory, error) {
	m := &memory{}
	if json.Unmarshal([]byte(kept.Reveal()), m) != nil || len(m.Cache) == 0 {
		return nil, &Error{Hint: CodeAgain}
	}
	return m, nil
}

// encode returns before itself where nothing has changed, for the caller to see
// that by comparing.
func (m *memory) encode(before secret.String) secret.String {
	content, err := json.Marshal(m)
	if err != nil {
		return before
	}
	return secret.New(string(content))
}

// refused keeps the challenge of a refusal. An older one stays: it is still the
// last that was asked for.
func (m *memory) refused(err error) {
	m.Claims = cmp.Or(Asked(err), m.Claims)
}

// Replace hands MSAL its cache.
func (m *memory) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	if len(m.Cache) == 0 {
		return nil
	}
	return into.Unmarshal(m.Cache)
}

// Export takes MSAL's cache back, less the access tokens: an ACR token is what they
// buy, and that is kept, so that they would lie about for nothing, and be used after
// a sign-in was revoked. It never fails: MSAL would drop the token that it has just
// got.
func (m *memory) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	content, err := from.Marshal()
	if err != nil {
		return nil
	}
	var sections map[string]json.RawMessage
	if json.Unmarshal(content, &sections) != nil {
		return nil
	}
	delete(sections, "AccessToken")
	if content, err = json.Marshal(sections); err == nil {
		m.Cache = content
	}
	return nil
}

// A sender notes whether anything was sent, which tells Entra's refusals from a
// memory that holds nothing of use.
type sender struct {
	*authority.Client
	used atomic.Bool
}

func (s *sender) Do(req *http.Request) (*http.Response, error) {
	s.used.Store(true)
	return s.Client.Do(req)
}
