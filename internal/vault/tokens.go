package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

const tokenSuffix = ".token"

// StoredToken is the identity of a token that docker login or another program stored.
var StoredToken = identity.Identity{
	Kind: identity.ACRToken, Audience: registry.Audience, Source: identity.Source{Kind: identity.FromStoredToken},
}

// ErrNoToken is the error where no token is stored.
var ErrNoToken = errors.New("no token is stored")

// A Fetch gets a new token. A token without an end is returned but not cached.
type Fetch func(context.Context) (secret.Token, error)

// A cacheKey names a cached token by everything that it depends on: if any of it changes,
// the token isn't found, so one identity's token is never returned to another.
type cacheKey struct {
	name, failureName string // of its file, and of the record of a failure to get it
	signInName        string // of the record of a failed sign-in, which all registries share
	header            keyspace.Header
	assertion         identity.Assertion
}

// newCacheKey hashes all of it together: from the fingerprint alone a short secret could
// be guessed.
func newCacheKey(host registry.Host, id identity.Identity) cacheKey {
	name := hashName("token", host.Cloud().Suffix, host.Cloud().Authority, host.String(), id.Audience,
		string(id.Kind), id.Tenant, id.ClientID, id.User, id.Fingerprint)
	signIn := hashName("sign-in", host.Cloud().Authority, id.Audience, string(id.Kind), id.Tenant, id.ClientID, id.User,
		id.Fingerprint)
	return cacheKey{
		name: name + tokenSuffix, failureName: name + failureSuffix, signInName: signIn + failureSuffix,
		header: keyspace.Header{Audience: id.Audience, Assertion: id.Assertion.Hash, Login: identity.Login{
			Server: host.String(), Kind: id.Kind, Tenant: id.Tenant, ClientID: id.ClientID, User: id.User,
		}},
		assertion: id.Assertion,
	}
}

// isExpired reports whether the token is for an assertion that has expired.
func (k cacheKey) isExpired(now time.Time) bool {
	return !k.assertion.Expires.IsZero() && !now.Before(k.assertion.Expires)
}

// Token returns a cached token of which more than half of its life is left, at the cost
// of one keyring read; otherwise what fetch gets, or a cached token that is still valid
// where fetch fails. With refresh the cached token isn't looked at. Processes that fetch
// at the same time fetch once together, and share the failure if it fails.
func (s *Session) Token(
	ctx context.Context, host registry.Host, id identity.Identity, refresh bool, fetch Fetch,
) (secret.Token, error) {
	key := newCacheKey(host, id)
	var cached secret.Token
	if !refresh {
		files, failure := s.lookUp(key)
		cached, _ = s.open(ctx, files)
		// After a failure, a token that is still valid is good enough: not every get
		// waits for the same failure again.
		if cached.IsFresh(s.Now()) || cached.IsValid(s.Now()) && failure != nil {
			s.Log.Debug("using the cached token", "expires", cached.Expires)
			return cached, nil
		}
	}
	renewed, err := s.fetch(ctx, key, refresh, cached, fetch)
	if err != nil && !IsChanged(err) && cached.IsValid(s.Now()) {
		s.Log.Debug("renewal failed, the cached token is still valid", "expires", cached.Expires, "error", err)
		return cached, nil
	}
	return renewed, err
}

// fetch gets a new token under its lock, unless another process has just done so. cached
// is the token to be renewed, if there is one.
func (s *Session) fetch(
	ctx context.Context, key cacheKey, refresh bool, cached secret.Token, fetch Fetch,
) (secret.Token, error) {
	seal, err := s.sealer(ctx, true)
	if err != nil { // a get needs the vault for nothing but speed
		s.Log.Debug("continuing without the vault", "error", err)
		return fetch(ctx)
	}
	isDone := func() bool { _, _, done := s.justFetched(key, seal); return done && !refresh }
	if unlock, err := s.lock(ctx, key.name[:lockPrefix], isDone); err == nil {
		defer unlock()
	} else { // at worst, two processes make the same request
		s.Log.Debug("continuing without the lock", "error", err)
	}
	if other, err, done := s.justFetched(key, seal); done && !refresh {
		s.Log.Debug("another process has just done it", "expires", other.Expires, "failed", err)
		return other, err
	}
	fetched, err := fetch(ctx)
	if err != nil {
		s.recordFailure(ctx, seal, key, err, cached)
		return secret.Token{}, err
	}
	if !fetched.Expires.IsZero() {
		if err := s.writeToken(seal, key, fetched); err != nil {
			s.Log.Debug("the token could not be cached", "error", err)
		}
	}
	return fetched, nil
}

// justFetched returns the fresh token that another process has cached with the same key,
// or its failure to get one; done reports whether there is either.
func (s *Session) justFetched(key cacheKey, seal sealer) (token secret.Token, failed error, done bool) {
	s.spaces = nil // another process may have created its keyspace
	files, failure := s.lookUp(key)
	for _, f := range files {
		if value, err := f.Unseal(seal.key); err == nil && f.Life().IsFresh(s.Now()) {
			return secret.Token{Value: value, Issued: f.Issued, Expires: f.Expires}, nil, true
		}
	}
	if failure == nil {
		return secret.Token{}, nil, false
	}
	return secret.Token{}, failure, true
}

// writeToken seals a token, and deletes what its keyspace no longer needs.
func (s *Session) writeToken(seal sealer, key cacheKey, value secret.Token) error {
	h := key.header
	h.Issued, h.Expires = value.Issued, value.Expires
	content, err := keyspace.Seal(h, key.name, seal.key, []byte(value.Value.Reveal()))
	if err == nil {
		err = s.create()
	}
	if err == nil {
		err = s.dir.Write(seal.keyspace, key.name, content, false)
	}
	if err != nil {
		return err
	}
	_ = s.dir.Remove(seal.keyspace, key.failureName)
	_ = s.dir.Remove(seal.keyspace, key.signInName)
	s.sweep(seal.keyspace, key.header.Server)
	s.sweepKeyspaces(seal.keyspace)
	return nil
}

// PutToken stores a token, with the tenant that it names ("" for unknown).
func (s *Session) PutToken(
	ctx context.Context, host registry.Host, id identity.Identity, value secret.Token, tenant string,
) error {
	seal, err := s.sealer(ctx, true)
	if err != nil {
		return err
	}
	key := newCacheKey(host, id)
	key.header.RegistryTenant = tenant
	return s.writeToken(seal, key, value)
}

// CachedToken returns the cached or stored token of an identity until it ends, without
// renewing it. The error is ErrNoToken, or says why the token can't be opened.
func (s *Session) CachedToken(ctx context.Context, host registry.Host, id identity.Identity) (secret.Token, error) {
	files, _ := s.lookUp(newCacheKey(host, id))
	if len(files) == 0 {
		return secret.Token{}, ErrNoToken
	}
	value, err := s.open(ctx, files)
	if err != nil {
		return secret.Token{}, fault.Because("can't open the stored token", fault.LoginKeyring, err)
	}
	return value, nil
}

// lookUp returns what can be known of a token without any key, from the keyspaces of the
// backends that are used here: the files that are valid, in the order in which to try
// them, and the failure that is shared; nil for none.
func (s *Session) lookUp(key cacheKey) (files []keyspace.File, failure *Failure) {
	if s.err != nil {
		return nil, nil
	}
	spaces, usable := s.keyspaces()
	for _, space := range spaces[:usable] {
		f, err := s.dir.Read(space, key.name)
		if err == nil && (f.Login != key.header.Login || f.Audience != key.header.Audience) {
			continue // another token under this name, which would not open
		}
		if err == nil && key.isExpired(s.Now()) && f.Assertion != key.assertion.Hash {
			err = ErrNoToken
		}
		if err == nil && f.Life().IsValid(s.Now()) {
			files = append(files, f)
		}
		// Where there is a fresh token, a record of a failure is out of date.
		if failure == nil && (err != nil || !f.Life().IsFresh(s.Now())) {
			failure = s.sharedFailure(space, key)
		}
	}
	slices.SortStableFunc(files, func(a, b keyspace.File) int { return b.Expires.Compare(a.Expires) })
	return files, failure
}

// open opens the first of the files that can be opened. Otherwise the error is that of
// the first.
func (s *Session) open(ctx context.Context, files []keyspace.File) (token secret.Token, err error) {
	for _, f := range files {
		token = f.Life()
		key, failed := s.key(ctx, f.Keyspace)
		if failed == nil {
			token.Value, failed = f.Unseal(key)
		}
		if failed == nil {
			return token, nil
		}
		s.Log.Debug("a token can't be opened", "keyspace", f.Keyspace, "error", failed)
		if err == nil {
			err = failed
		}
	}
	return secret.Token{}, err
}

// CannotOpen reports whether an operation failed because a stored login can't be opened
// here.
func CannotOpen(err error) bool {
	return fault.Is(err, fault.LoginKeyring, fault.LoginElsewhere, fault.LoginKeyGone, fault.LoginNamespace,
		fault.LoginNewer, fault.LoginDamaged, fault.LoginVault, fault.LoginChanged)
}
