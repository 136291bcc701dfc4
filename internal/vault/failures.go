package vault

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const failureSuffix = ".failed"

// A Failure is the record of a failed fetch that other processes share, so that 60
// processes with a wrong secret make one token request. Nothing in it is secret. Its name is
// derived from the token's, which changes with the secret. A failed sign-in has two
// records: that of the access token is for all registries, and names none. MAC is made with
// the vault's key, so that a get shows no other program's text.
type Failure struct {
	Server string     `json:"server,omitempty"`
	Code   fault.Code `json:"code"`
	Text   string     `json:"text"`
	Since  time.Time  `json:"since"`
	Until  time.Time  `json:"until"`
	// RetryAfter is how long the server asked to wait, from Since on.
	RetryAfter time.Duration `json:"retryAfter,omitempty"`
	MAC        []byte        `json:"mac,omitempty"`

	cause error // known in this process only
	space string
	mac   func(key []byte) []byte // what MAC must be
}

// setMAC sets what MAC must be in a file of this name.
func (f *Failure) setMAC(name string) {
	record := *f
	record.MAC = nil
	content, _ := json.Marshal(record) // which can be encoded
	f.mac = func(key []byte) []byte {
		h := hmac.New(sha256.New, key)
		fmt.Fprintf(h, "failure %s\n%s", name, content)
		return h.Sum(nil)
	}
}

// isAuthentic reports whether this program wrote a record.
func (s *Session) isAuthentic(ctx context.Context, f *Failure) bool {
	key, err := s.key(ctx, f.space)
	return err == nil && hmac.Equal(f.MAC, f.mac(key))
}

func (f *Failure) Error() string { return f.Text }

// Unwrap returns an error with the failure's code and wait.
func (f *Failure) Unwrap() error {
	return &fault.Error{Code: f.Code, RetryAfter: f.RetryAfter, Cause: f.cause}
}

// at returns the failure with the wait that is left at a time; nil if it is not shared
// then.
func (f *Failure) at(now time.Time) *Failure {
	if f == nil || now.Before(f.Since) || !now.Before(f.Until) {
		return nil
	}
	left := *f
	left.Since, left.RetryAfter = now, max(0, f.RetryAfter-now.Sub(f.Since))
	return &left
}

// How long a failure is shared: long enough for the processes that waited for it, short
// enough for a user who fixes it and tries again; longer while a token is still valid. A
// server's Retry-After counts up to a limit.
const (
	shareFailure      = 5 * time.Second
	shareWhileValid   = time.Minute
	maxFailureSharing = 5 * time.Minute
)

// isOfEnvironment reports whether a fetch failed because of a variable of this process.
func isOfEnvironment(failed error) bool {
	return fault.Is(failed, fault.Variable, fault.VariableQuotes, fault.VariablePlaceholder)
}

// newFailure returns the record of a failed fetch; nil if the cause is this process's
// keyring, environment or deadline, which other processes don't share.
func (s *Session) newFailure(ctx context.Context, key cacheKey, failed error, cached secret.Token) *Failure {
	if ctx.Err() != nil || CannotOpen(failed) || isOfEnvironment(failed) {
		return nil
	}
	if shared, ok := errors.AsType[*Failure](failed); ok { // of the sign-in
		f := *shared
		f.Server = key.header.Server
		return &f
	}
	now, wait := s.Now(), fault.RetryAfter(failed)
	if s.ShareFailures > 0 && fault.Is(failed, fault.IMDSAbsent) {
		wait = 0 // a node's network may still be starting
	}
	share := max(cmp.Or(s.ShareFailures, shareFailure), min(shareWhileValid, cached.UsableUntil().Sub(now)),
		min(wait, maxFailureSharing))
	return &Failure{
		Server: key.header.Server, Code: fault.CodeOf(failed), Text: strings.ToValidUTF8(failed.Error(), "?"),
		Since: now, Until: now.Add(share), RetryAfter: wait, cause: failed,
	}
}

// recordFailure records a failed fetch for other processes.
func (s *Session) recordFailure(ctx context.Context, seal sealer, key cacheKey, failed error, cached secret.Token) {
	f := s.newFailure(ctx, key, failed, cached)
	if f == nil {
		return
	}
	f.setMAC(key.failure())
	f.MAC = f.mac(seal.key)
	content, err := json.Marshal(f)
	if err == nil {
		err = s.create()
	}
	if err == nil {
		err = s.dir.Write(seal.keyspace, key.failure(), content, false)
	}
	if err != nil {
		s.Log.Debug("the failure could not be recorded", "error", err)
	}
}

// failures returns the records of failures to get a token, and to sign in for it.
func (s *Session) failures(space string, key cacheKey) (recorded []*Failure) {
	add := func(name, server string) {
		f, err := s.parseFailure(space, name+failureSuffix)
		if err == nil && f.Server == server && f.Until.Sub(f.Since) <= maxFailureSharing { // it was recorded for this token
			recorded = append(recorded, &f)
		}
	}
	add(key.name, key.header.Server)
	if key.signIn != "" {
		add(key.signIn, "")
	}
	return recorded
}

// sharedFailure returns a failure that is still shared; nil for none.
func (s *Session) sharedFailure(ctx context.Context, space string, key cacheKey) (shared *Failure) {
	for _, f := range s.failures(space, key) {
		if f.Since.Before(key.since) || !s.isAuthentic(ctx, f) {
			continue
		}
		if f := f.at(s.Now()); f != nil && (shared == nil || f.Until.After(shared.Until)) {
			shared = f
		}
	}
	return shared
}

// LastRefusal returns when a registry last refused an access token of an identity, within
// the last day; zero for never, or if an exchange succeeded since.
func (s *Session) LastRefusal(host registry.Host, id identity.Identity) time.Time {
	_, _, failure := s.Peek(host, id)
	if failure == nil || failure.Code != fault.RegistryUnauthorized {
		return time.Time{}
	}
	return failure.Since
}

// lastFailure returns the last failure of the last day, after a time; nil for none.
func (s *Session) lastFailure(spaces []string, key cacheKey, after time.Time) (last *Failure) {
	now := s.Now()
	for _, space := range spaces {
		for _, f := range s.failures(space, key) {
			isRecent := !f.Since.After(now) && now.Sub(f.Since) < sweepAfter && !f.Since.Before(after)
			if isRecent && (last == nil || f.Since.After(last.Since)) {
				last = f
			}
		}
	}
	return last
}

func (s *Session) parseFailure(space, name string) (f Failure, err error) {
	content, err := s.dir.ReadPlain(space, name)
	if err == nil {
		err = json.Unmarshal(content, &f)
	}
	f.space = space
	f.setMAC(name)
	return f, err
}
