package vault

import (
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// sweepKeyspaceAfter is how long an old keyspace stays after its last write: a week after
// its last token has expired (a token lives three hours at most).
const sweepKeyspaceAfter = 7*24*time.Hour + 3*time.Hour

// sweepKeyspaces deletes the other keyspaces of the same backend to which nothing was
// written for a week, unless they have a login: the kernel keyring has a new key after
// each reboot. No key is needed, because such tokens are worth nothing. An empty keyspace
// stays, since EraseAll leaves one for a key that it could not delete.
func (s *Session) sweepKeyspaces(current string) {
	spaces, _ := s.keyspaces()
	for _, space := range spaces {
		if space == current || keyspace.Backend(space) != keyspace.Backend(current) {
			continue
		}
		names, err := s.dir.Names(space)
		stays := func(name string) bool { return !s.isSweepable(space, name) }
		if err != nil || len(names) == 0 || slices.ContainsFunc(names, stays) {
			continue
		}
		for _, name := range names {
			_ = s.dir.Remove(space, name)
		}
		_ = s.dir.Remove(space, "")
	}
}

func (s *Session) isSweepable(space, name string) bool {
	info, err := s.dir.Stat(space, name)
	isLogin := name == patternsDir || strings.HasSuffix(name, loginSuffix)
	return err == nil && !isLogin && s.Now().Sub(info.ModTime()) >= sweepKeyspaceAfter
}

// maxSwept is how many files a sweep looks at: a vault may have thousands.
const maxSwept = 200

// sweepAfter is how long an entry stays after it has ended, for status to show.
const sweepAfter = 24 * time.Hour

// sweep deletes what ended long ago, and what neither this nor a later version can read,
// except logins: CI agents get tokens for a new identity in every job. Of each server but
// current, which has a new token, the last one stays: by that, list knows the server.
func (s *Session) sweep(space, current string) {
	type token struct {
		name    string
		expires time.Time
	}
	last := map[string]token{}
	names, _ := s.dir.Names(space)
	if len(names) > maxSwept {
		first := rand.IntN(len(names) - maxSwept + 1)
		names = names[first : first+maxSwept]
	}
	for _, name := range names {
		info, err := s.dir.Stat(space, name)
		isLogin := name == patternsDir || strings.HasSuffix(name, loginSuffix)
		if err != nil || isLogin || s.Now().Sub(info.ModTime()) < sweepAfter {
			continue
		}
		if path.Ext(name) != failureSuffix && path.Ext(name) != accessSuffix { // which are used for an hour at most
			f, err := s.dir.Read(space, name)
			if fault.Is(err, fault.LoginNewer) || err == nil && s.Now().Sub(f.Expires) < sweepAfter {
				continue
			}
			if other := last[f.Server]; err == nil && f.Server != current && f.Expires.After(other.expires) {
				last[f.Server] = token{name, f.Expires}
				name = other.name
			}
		}
		if name != "" {
			_ = s.dir.Remove(space, name)
		}
	}
}
