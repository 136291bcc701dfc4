package vault

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

const (
	tokenSuffix  = ".token"  // of ACR tokens
	accessSuffix = ".access" // of Entra access tokens
)

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
	name      string // a hash, which the names of its files begin with
	suffix    string // of the token's file
	signIn    string // the name of the access token that an ACR token needs; "" for an access token
	header    keyspace.Header
	assertion identity.Assertion
	inMemory  bool      // it stays in memory
	since     time.Time // what is older doesn't count
}

// newCacheKey returns the key of an ACR token. It hashes all of it together: from the
// fingerprint alone a short secret could be guessed.
func newCacheKey(host registry.Host, id identity.Identity) cacheKey {
	key := newAccessKey(host, id)
	key.signIn, key.suffix, key.header.Server = key.name, tokenSuffix, host.String()
	key.name = hashName("token", host.Cloud().Suffix, host.Cloud().Authority, host.String(), id.Audience,
		string(id.Kind), id.Tenant, id.ClientID, id.User, id.Fingerprint)
	return key
}

// newAccessKey returns the key of the access token that an identity uses for all of its
// registries.
func newAccessKey(host registry.Host, id identity.Identity) cacheKey {
	return cacheKey{
		name: hashName("sign-in", host.Cloud().Authority, id.Audience, string(id.Kind), id.Tenant, id.ClientID, id.User,
			id.Fingerprint),
		suffix: accessSuffix,
		header: keyspace.Header{Audience: id.Audience, Assertion: id.Assertion.Hash, Login: identity.Login{
			Kind: id.Kind, Tenant: id.Tenant, ClientID: id.ClientID, User: id.User,
		}},
		assertion: id.Assertion, inMemory: id.InMemory,
	}
}

func (k cacheKey) file() string { return k.name + k.suffix }

// failure is the name of the record of a failure to get the token.
func (k cacheKey) failure() string { return k.name + failureSuffix }

// title is how the trace calls the token.
func (k cacheKey) title() string {
	if k.suffix == accessSuffix {
		return "access token"
	}
	return "token"
}

// lock is the name of the lock under which the token is fetched. A process that waits for
// an access token holds the lock of an ACR token, so the two are never the same.
func (k cacheKey) lock() string { return strings.TrimPrefix(k.suffix, ".") + "-" + k.name[:lockPrefix] }

// isFresh reports whether the token is used without being renewed. An access token is
// needed for one request only, so it is used until it ends.
func (k cacheKey) isFresh(t secret.Token, now time.Time) bool {
	return t.IsFresh(now) || k.suffix == accessSuffix && t.IsValid(now)
}

// isExpired reports whether the token is for an assertion that has expired.
func (k cacheKey) isExpired(now time.Time) bool {
	return !k.assertion.Expires.IsZero() && !now.Before(k.assertion.Expires)
}

// Token returns a cached ACR token of which more than half of its life is left, at the cost
// of one keyring read; otherwise what fetch gets, or a cached token that is still valid
// where fetch fails. With refresh the cached token isn't looked at. Processes that fetch
// at the same time fetch once together, and share the failure if it fails; so do
// goroutines that share the vault's Memory, which is in front of the vault.
func (s *Session) Token(
	ctx context.Context, host registry.Host, id identity.Identity, refresh bool, fetch Fetch,
) (secret.Token, error) {
	return s.token(ctx, newCacheKey(host, id), refresh, fetch)
}

func (s *Session) token(ctx context.Context, key cacheKey, refresh bool, fetch Fetch) (secret.Token, error) {
	if s.Memory != nil {
		return s.tokenFromMemory(ctx, key, refresh, fetch)
	}
	return s.tokenFromDisk(ctx, key, refresh, fetch)
}

func (s *Session) tokenFromDisk(ctx context.Context, key cacheKey, refresh bool, fetch Fetch) (secret.Token, error) {
	var cached secret.Token
	if !refresh {
		files, failure := s.lookUp(ctx, key)
		cached, _ = s.open(ctx, files)
		// After a failure, a token that is still valid is good enough: not every get
		// waits for the same failure again.
		if key.isFresh(cached, s.Now()) || cached.IsValid(s.Now()) && failure != nil {
			s.Log.Debug("using the cached "+key.title(), "expires", cached.Expires)
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
	isDone := func() bool { _, _, done := s.justFetched(ctx, key, seal); return done && !refresh }
	if unlock, err := s.lock(ctx, key.lock(), isDone); err == nil {
		defer unlock()
	} else { // at worst, two processes make the same request
		s.Log.Debug("continuing without the lock", "error", err)
	}
	if other, err, done := s.justFetched(ctx, key, seal); done && !refresh {
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
func (s *Session) justFetched(
	ctx context.Context, key cacheKey, seal sealer,
) (token secret.Token, failed error, done bool) {
	s.spaces = nil // another process may have created its keyspace
	files, failure := s.lookUp(ctx, key)
	for _, f := range files {
		if value, err := f.Unseal(seal.key); err == nil && key.isFresh(f.Life(), s.Now()) {
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
	content, err := keyspace.Seal(h, key.file(), seal.key, []byte(value.Value.Reveal()))
	if err == nil {
		err = s.create()
	}
	if err == nil {
		err = s.dir.Write(seal.keyspace, key.file(), content, false)
	}
	if err != nil {
		return err
	}
	_ = s.dir.Remove(seal.keyspace, key.failure())
	if key.suffix == tokenSuffix {
		s.sweep(seal.keyspace, key.header.Server)
		s.sweepKeyspaces(seal.keyspace)
	}
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
	files, _ := s.lookUp(ctx, newCacheKey(host, id))
	if len(files) == 0 {
		return secret.Token{}, ErrNoToken
	}
	value, err := s.open(ctx, files)
	if err != nil {
		return secret.Token{}, fault.Because("can't open the stored token", fault.LoginKeyring, err)
	}
	return value, nil
}

// lookUp returns what is known of a token, from the keyspaces of the backends that are used
// here: the files that are valid, in the order in which to try them, and the failure that is
// shared; nil for none. Only a failure costs a keyring read.
func (s *Session) lookUp(ctx context.Context, key cacheKey) (files []keyspace.File, failure *Failure) {
	if s.err != nil {
		return nil, nil
	}
	spaces, usable := s.keyspaces()
	for _, space := range spaces[:usable] {
		f, err := s.dir.Read(space, key.file())
		if err == nil && (f.Login != key.header.Login || f.Audience != key.header.Audience) {
			continue // another token under this name, which would not open
		}
		if err == nil && (key.isExpired(s.Now()) && f.Assertion != key.assertion.Hash || f.Issued.Before(key.since)) {
			err = ErrNoToken
		}
		if err == nil && f.Life().IsValid(s.Now()) {
			files = append(files, f)
		}
		// Where there is a fresh token, a record of a failure is out of date.
		if failure == nil && (err != nil || !key.isFresh(f.Life(), s.Now())) {
			failure = s.sharedFailure(ctx, space, key)
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
