package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/sealed"
)

const tokenSuffix = ".token"

// A Fetch gets a new token for the host and identity that the caller of Get has
// in mind. A token without an end is handed out but not kept.
type Fetch func(context.Context) (secret.Token, error)

// What Get answers where there is no Fetch: nothing is kept, or it can't be
// opened.
var (
	ErrNone   = errors.New("no token is kept")
	ErrSealed = errors.New("the key of the kept token can't be had")
)

// Get answers with a kept token of which more than half is left, at the cost of
// one keyring read and nothing else; otherwise with what fetch gets. Where the
// fetch fails, a token that still lives will do. Processes that miss at the
// same moment fetch once between them, and share the failure if it fails.
//
// A nil fetch means that the token can't be renewed: it is answered until it
// ends, and then ErrNone.
func (v *Vault) Get(ctx context.Context, host registry.Host, id identity.Identity, fetch Fetch) (secret.Token, error) {
	name := tokenName(host, id)
	if anew(ctx) && fetch != nil {
		return v.renew(ctx, newHeader(host, id), name, secret.Token{}, fetch)
	}
	seen := v.look(name)
	kept, ok, closed := v.openAny(ctx, seen.files)
	switch {
	case ok && (fetch == nil || kept.Fresh(v.Now()) || seen.failure != nil):
		v.Log.Debug("token kept in the vault", "expires", kept.Expires)
		return kept, nil
	case fetch == nil && len(seen.files) > 0:
		return secret.Token{}, &LoginError{Server: host.String(), Why: closed, Token: true}
	case fetch == nil:
		return secret.Token{}, ErrNone
	}
	token, err := v.renew(ctx, newHeader(host, id), name, kept, fetch)
	if err != nil && ok && kept.Alive(v.Now()) {
		v.Log.Debug("renewal failed, the kept token still lives", "expires", kept.Expires, "why", err)
		return kept, nil
	}
	return token, err
}

// renew fetches under the entry's lock, unless somebody else just did. A spare
// is the token to be renewed, if there is one.
func (v *Vault) renew(ctx context.Context, h sealed.Header, name string, spare secret.Token, fetch Fetch) (secret.Token, error) {
	s, err := v.sealer(ctx)
	if err != nil {
		v.Log.Debug("working without a vault", "why", err)
		return fetch(ctx)
	}
	unlock, err := v.lock(ctx, lockName(name), func() bool { return !anew(ctx) && v.look(name).settled(s, v.Now()) })
	if err != nil {
		v.Log.Debug("going on without the lock", "why", err)
	} else {
		defer unlock()
	}
	seen := v.look(name)
	if anew(ctx) {
		seen = view{}
	}
	if token, ok := seen.openIn(s); ok && token.Fresh(v.Now()) {
		v.Log.Debug("token renewed by another process", "expires", token.Expires)
		return token, nil
	}
	if seen.failure != nil {
		v.Log.Debug("an earlier failure is shared", "until", seen.failure.Expires)
		return secret.Token{}, seen.failure
	}
	token, err := fetch(ctx)
	if err != nil {
		v.remember(ctx, s, h.Server, name, err, spare)
		return secret.Token{}, err
	}
	if !token.Expires.IsZero() {
		if err := v.put(s, h, name, token); err != nil {
			v.Log.Debug("the token could not be kept", "why", err)
		}
	}
	return token, nil
}

type anewKey struct{}

// Anew returns a context in which Get fetches, whatever is kept or has failed. (It is
// a context's value because whether to believe what is kept is the caller's wish, not
// a matter of those in between.)
func Anew(ctx context.Context) context.Context { return context.WithValue(ctx, anewKey{}, true) }

func anew(ctx context.Context) bool { return ctx.Value(anewKey{}) != nil }

// put seals a token, and clears away what its compartment no longer needs.
func (v *Vault) put(s sealer, h sealed.Header, name string, token secret.Token) error {
	h.Issued, h.Expires = token.Issued, token.Expires
	content, err := sealed.Seal(h, name, s.key, []byte(token.Value.Reveal()))
	if err != nil {
		return err
	}
	root, err := v.create()
	if err != nil {
		return err
	}
	defer root.Close()
	if err := sealed.Write(root, s.compartment(), name, content, false); err != nil {
		return err
	}
	_ = root.Remove(path.Join(s.compartment(), failureName(name)))
	v.sweep(root, s.compartment())
	return nil
}

// PutToken keeps a token that came from outside, with the tenant that it names.
func (v *Vault) PutToken(ctx context.Context, host registry.Host, id identity.Identity, token secret.Token, tenant string) error {
	s, err := v.sealer(ctx)
	if err != nil {
		return err
	}
	h := newHeader(host, id)
	h.RegistryTenant = tenant
	return v.put(s, h, tokenName(host, id), token)
}

// A placed file is one that knows its compartment.
type placed struct {
	sealed.File
	compartment string
}

// A view is what can be seen of a token without any key: the files in which it
// lives, those to try first at the front, and a failure that is to be shared.
type view struct {
	files   []placed
	failure *Failure
}

// look reads headers in the compartments of homes that can be used now.
func (v *Vault) look(name string) view {
	root, err := v.open()
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			v.Log.Debug("working without a vault", "why", err)
		}
		return view{}
	}
	defer root.Close()
	var seen view
	usable := v.Keys.Homes()
	for _, c := range v.compartments(root) {
		if !slices.Contains(usable, sealed.HomeOf(c)) {
			break // compartments sorts these last
		}
		f, err := sealed.Read(root, path.Join(c, name))
		if err == nil && f.Life().Alive(v.Now()) {
			seen.files = append(seen.files, placed{f, c})
		}
		if err != nil || !f.Life().Fresh(v.Now()) {
			seen.failure = cmp.Or(seen.failure, readFailure(root, path.Join(c, failureName(name)), v.Now()))
		}
	}
	slices.SortStableFunc(seen.files, func(a, b placed) int { return b.Expires.Compare(a.Expires) })
	return seen
}

// settled says whether somebody else has fetched, or failed to.
func (seen view) settled(s sealer, now time.Time) bool {
	return seen.failure != nil || slices.ContainsFunc(seen.files, func(f placed) bool {
		return f.compartment == s.compartment() && f.Life().Fresh(now)
	})
}

// openIn opens the token with a key that is at hand.
func (seen view) openIn(s sealer) (secret.Token, bool) {
	for _, f := range seen.files {
		if f.compartment == s.compartment() {
			return f.Token(s.key)
		}
	}
	return secret.Token{}, false
}

// openAny asks the homes of files for their keys until one opens. Otherwise it says
// why the first doesn't.
func (v *Vault) openAny(ctx context.Context, files []placed) (token secret.Token, ok bool, why error) {
	for _, f := range files {
		home := sealed.HomeOf(f.compartment)
		key, err := v.Keys.Key(ctx, home)
		if err == nil && sealed.Compartment(home, key) != f.compartment {
			err = fmt.Errorf("its keyring (%s) %w", home, errOtherKey)
		}
		if err == nil {
			if token, ok = f.Token(key); ok {
				return token, true, nil
			}
			err = sealed.ErrDamaged
		}
		v.Log.Debug("entry can't be opened", "compartment", f.compartment, "why", err)
		why = cmp.Or(why, err)
	}
	return secret.Token{}, false, why
}

// sweepAfter is how long an entry that has ended stays for status to show.
const sweepAfter = 24 * time.Hour

// sweep deletes tokens and notes that ended long ago, from the one compartment
// whose key is at hand: CI agents earn their tokens with a new proof every job.
func (v *Vault) sweep(root *os.Root, compartment string) {
	names, _ := fs.Glob(root.FS(), compartment+"/*")
	for _, name := range names {
		info, err := root.Stat(name)
		if err != nil || v.Now().Sub(info.ModTime()) < sweepAfter || path.Ext(name) == loginSuffix {
			continue
		}
		f, err := sealed.Read(root, name)
		if errors.Is(err, sealed.ErrNewer) || err == nil && v.Now().Sub(f.Expires) < sweepAfter {
			continue
		}
		_ = root.Remove(name)
	}
}

// tokenName hashes everything that a token depends on. Change any of it, and
// the token isn't found: one identity's token is never answered to another.
func tokenName(host registry.Host, id identity.Identity) string {
	return hashName("token", host.Cloud().Suffix, host.Cloud().Authority, host.String(), id.Audience,
		string(id.Kind), id.Tenant, id.ClientID, id.User, id.Fingerprint) + tokenSuffix
}

// hashName hashes a list of strings such that no two lists run into each other.
func hashName(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)[:20])
}

func newHeader(host registry.Host, id identity.Identity) sealed.Header {
	return sealed.Header{
		Login: identity.Login{
			Server: host.String(), Kind: id.Kind, Tenant: id.Tenant, ClientID: id.ClientID, User: id.User,
		},
		Audience: id.Audience,
	}
}
