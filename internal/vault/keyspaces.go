package vault

import (
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// sweepKeyspaceAfter is how long a keyspace stays whose key may be gone: a week after its
// last token has ended, three hours at most after it was written.
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
	return err == nil && name != patternsDir && !strings.HasSuffix(name, loginSuffix) && s.Now().Sub(info.ModTime()) >= sweepKeyspaceAfter
}
