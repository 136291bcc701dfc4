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
)

const tokenSuffix = ".token"

// A Fetch gets a new token for the host and identity that the caller of Get has
// in mind. A token without an end is handed out but not kept.
type Fetch func(context.Context) (secret.Token, error)

// An ErrNone is what Get answers where nothing is kept and there is no Fetch.
var ErrNone = errors.New("no token is kept")

// Get answers with a kept token of which more than half is left, at the cost of
// one keyring read and nothing else; otherwise with what fetch gets. Where the
// fetch fails, a token that still lives will do. Processes that miss at the
// same moment fetch once between them, and share the failure if it fails.
//
// A nil fetch means that the token can't be renewed: it is answered until it
// ends, and then ErrNone.
func (v *Vault) Get(ctx context.Context, host registry.Host, id identity.Identity, fetch Fetch) (secret.Token, error) {
	name := tokenName(host, id)
	kept, ok := v.kept(ctx, name)
	if ok && (fetch == nil || kept.Fresh(v.Now()) || v.failure(name) != nil) {
		v.Log.Debug("token kept in the vault", "expires", kept.Expires)
		return kept, nil
	}
	if fetch == nil {
		return secret.Token{}, ErrNone
	}
	sealer, err := v.sealer(ctx)
	if err != nil {
		v.Log.Debug("working without a vault", "why", err)
		return fetch(ctx)
	}
	return v.renew(ctx, sealer, newHeader(host, id), name, fetch)
}

// renew fetches under the entry's lock, unless somebody else just did.
func (v *Vault) renew(ctx context.Context, s sealer, h header, name string, fetch Fetch) (secret.Token, error) {
	settled := func() bool { return v.settled(s, name) }
	unlock, err := v.lockFile(ctx, lockName(name), settled)
	if err != nil {
		v.Log.Debug("going on without the lock", "why", err)
	} else {
		defer unlock()
	}
	kept, ok := v.keptIn(s, name)
	if ok && kept.Fresh(v.Now()) {
		v.Log.Debug("token renewed by another process", "expires", kept.Expires)
		return kept, nil
	}
	failure := error(nil)
	if f := v.failure(name); f != nil {
		failure = f
	} else {
		token, err := v.fetch(ctx, s, h, name, fetch, ok)
		if err == nil {
			return token, nil
		}
		failure = err
	}
	if ok && kept.Alive(v.Now()) {
		v.Log.Debug("renewal failed, the kept token still lives", "expires", kept.Expires, "why", failure)
		return kept, nil
	}
	return secret.Token{}, failure
}

// fetch fetches, and keeps what came of it: the token or the failure.
func (v *Vault) fetch(ctx context.Context, s sealer, h header, name string, fetch Fetch, spare bool) (secret.Token, error) {
	token, err := fetch(ctx)
	if err != nil {
		if !errors.Is(ctx.Err(), context.Canceled) {
			v.remember(s, h.Server, name, err, spare)
		}
		return secret.Token{}, err
	}
	if token.Expires.IsZero() {
		return token, nil
	}
	if err := v.put(s, h, name, token); err != nil {
		v.Log.Debug("the token could not be kept", "why", err)
	}
	return token, nil
}

// put seals a token, and clears away what its compartment no longer needs.
func (v *Vault) put(s sealer, h header, name string, token secret.Token) error {
	h.Issued, h.Expires = token.Issued, token.Expires
	content, err := seal(h, name, s.key, []byte(token.Value.Reveal()))
	if err != nil {
		return err
	}
	if err := v.write(s.compartment(), name, content); err != nil {
		return err
	}
	v.forget(s, name)
	v.sweep(s)
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

// kept finds a living token in the compartments that can be opened now, the
// one with the latest end first. It reads headers before it asks for a key.
func (v *Vault) kept(ctx context.Context, name string) (secret.Token, bool) {
	root, err := v.open()
	if err != nil {
		v.traceOpen(err)
		return secret.Token{}, false
	}
	defer root.Close()
	for _, c := range v.living(root, name) {
		key, err := v.Keys.Key(ctx, homeOf(c.compartment))
		if err != nil || compartment(homeOf(c.compartment), key) != c.compartment {
			v.Log.Debug("entry can't be opened", "compartment", c.compartment, "why", err)
			continue
		}
		if plain, err := c.unseal(key); err == nil {
			return secret.Token{Value: secret.New(string(plain)), Issued: c.Issued, Expires: c.Expires}, true
		}
	}
	return secret.Token{}, false
}

// keptIn is kept for one compartment whose key is known.
func (v *Vault) keptIn(s sealer, name string) (secret.Token, bool) {
	root, err := v.open()
	if err != nil {
		return secret.Token{}, false
	}
	defer root.Close()
	f, err := readFile(root, path.Join(s.compartment(), name))
	if err != nil {
		return secret.Token{}, false
	}
	plain, err := f.unseal(s.key)
	if err != nil {
		return secret.Token{}, false
	}
	token := secret.Token{Value: secret.New(string(plain)), Issued: f.Issued, Expires: f.Expires}
	return token, token.Alive(v.Now())
}

// settled says whether somebody else has fetched, or failed to, meanwhile.
func (v *Vault) settled(s sealer, name string) bool {
	root, err := v.open()
	if err != nil {
		return false
	}
	defer root.Close()
	f, err := readFile(root, path.Join(s.compartment(), name))
	return err == nil && f.life().Fresh(v.Now()) || v.failure(name) != nil
}

// A placed file is one that knows its compartment.
type placed struct {
	file
	compartment string
}

// life is a token's life without the token.
func (f file) life() secret.Token { return secret.Token{Issued: f.Issued, Expires: f.Expires} }

func (v *Vault) living(root *os.Root, name string) []placed {
	var found []placed
	usable := v.Keys.Homes()
	for _, c := range v.compartments(root) {
		if !slices.Contains(usable, homeOf(c)) {
			break // compartments sorts these last
		}
		f, err := readFile(root, path.Join(c, name))
		if err == nil && f.life().Alive(v.Now()) {
			found = append(found, placed{f, c})
		}
	}
	slices.SortStableFunc(found, func(a, b placed) int { return b.Expires.Compare(a.Expires) })
	return found
}

func (v *Vault) traceOpen(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		v.Log.Debug("working without a vault", "why", err)
	}
}

// sweepAfter is how long an entry that has ended stays for status to show.
const sweepAfter = 24 * time.Hour

// sweep deletes tokens and notes that ended long ago, from the one compartment
// whose key is at hand: CI agents earn their tokens with a new proof every job.
func (v *Vault) sweep(s sealer) {
	root, err := v.open()
	if err != nil {
		return
	}
	defer root.Close()
	names, _ := fs.Glob(root.FS(), s.compartment()+"/*")
	for _, name := range names {
		info, err := root.Stat(name)
		if err != nil || v.Now().Sub(info.ModTime()) < sweepAfter || path.Ext(name) == loginSuffix {
			continue
		}
		f, err := readFile(root, name)
		if errors.Is(err, ErrNewer) || err == nil && v.Now().Sub(f.Expires) < sweepAfter {
			continue
		}
		_ = root.Remove(name)
	}
}

// tokenName hashes everything that a token depends on. Change any of it, and
// the token isn't found: one identity's token is never answered to another.
func tokenName(host registry.Host, id identity.Identity) string {
	return hashName("token", host.Cloud().Suffix, host.String(), id.Audience,
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

func newHeader(host registry.Host, id identity.Identity) header {
	return header{
		Login: identity.Login{
			Server: host.String(), Kind: id.Kind, Tenant: id.Tenant, ClientID: id.ClientID, User: id.User,
		},
		Audience: id.Audience,
	}
}

// newest sorts entries by the time they were made, latest first.
func newest(a, b placed) int { return cmp.Compare(b.Issued.UnixNano(), a.Issued.UnixNano()) }
