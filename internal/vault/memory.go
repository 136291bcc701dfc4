package vault

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault/keyspace"
)

// trustMemory is for how long a token in memory counts without looking whether the vault
// still has it: after that, another process's logout is noticed.
const trustMemory = time.Minute

// A Memory caches tokens and failures in front of the vault, for a process that needs
// many tokens: the vault may have no key here, and costs a keyring read each time. The
// zero value is empty. It is safe for many goroutines.
type Memory struct {
	mu      sync.Mutex
	entries map[string]memoryEntry // by their keys' names
	calls   map[string]*memoryCall
}

// A memoryEntry is a token, or the failure to get one.
type memoryEntry struct {
	server   string
	token    secret.Token
	isStored bool      // the vault has the same token
	checked  time.Time // when it last had
	failure  *Failure  // of the last fetch; nil for none
}

// A memoryCall is a fetch that other goroutines wait for, or with a nil channel what was in
// memory.
type memoryCall struct {
	done       chan struct{}
	token      secret.Token
	err        error
	isCanceled bool // the fetching goroutine's context ended, which says nothing about the others'
}

// tokenFromMemory has the Memory in front of tokenFromDisk. Goroutines that need the same
// token at the same time fetch it once.
func (s *Session) tokenFromMemory(ctx context.Context, key cacheKey, refresh bool, fetch Fetch) (secret.Token, error) {
	get := func() (secret.Token, error) { return s.tokenFromDisk(ctx, key, refresh, fetch) }
	if key.inMemory {
		get = func() (secret.Token, error) { return fetch(ctx) }
	}
	if key.isExpired(s.Now()) { // the vault knows whether it is the one that obtained the token
		return get()
	}
	if refresh {
		token, err := get()
		s.cacheResult(ctx, key, token, err)
		return token, err
	}
	for {
		call, isFirst := s.Memory.findOrStart(key, s.Now)
		if isFirst {
			s.runFetch(ctx, key, call, get)
		}
		if isFirst || call.done == nil {
			return call.token, call.err
		}
		select {
		case <-call.done:
			if !call.isCanceled {
				return call.token, call.err
			}
		case <-ctx.Done():
			return secret.Token{}, &fault.Error{
				Code: fault.Busy, Reason: "another goroutine is still signing in: " + ctx.Err().Error(), Cause: ctx.Err(),
			}
		}
	}
}

// findOrStart returns the cached result, a running fetch to wait for, or (isFirst) a new
// fetch to run.
func (m *Memory) findOrStart(key cacheKey, now func() time.Time) (call *memoryCall, isFirst bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	// With the time before the lock, a token that another goroutine has just put there would
	// be from the future.
	if token, err, ok := m.entry(key, now()).lookup(key, now()); ok {
		return &memoryCall{token: token, err: err}, false
	}
	if call := m.calls[key.name]; call != nil {
		return call, false
	}
	if m.calls == nil {
		m.calls = map[string]*memoryCall{}
	}
	m.calls[key.name] = &memoryCall{done: make(chan struct{})}
	return m.calls[key.name], true
}

// entry returns what is in memory and counts, with a failed sign-in of the same identity for
// another registry. The lock must be held.
func (m *Memory) entry(key cacheKey, now time.Time) memoryEntry {
	e := m.entries[key.name]
	if e.failure.at(now) == nil && key.signIn != "" {
		e.failure = m.entries[key.signIn].failure
	}
	if e.token.Issued.Before(key.since) {
		e.token, e.isStored = secret.Token{}, false
	}
	if e.failure != nil && e.failure.Since.Before(key.since) {
		e.failure = nil
	}
	return e
}

// lookup returns the entry's token or failure; ok reports whether it can be used without
// looking at the vault.
func (e memoryEntry) lookup(key cacheKey, now time.Time) (token secret.Token, err error, ok bool) {
	failure := e.failure.at(now)
	isTrusted := !e.isStored || !now.Before(e.checked) && now.Sub(e.checked) < trustMemory
	switch {
	case e.token.IsValid(now):
		return e.token, nil, isTrusted && (failure != nil || key.isFresh(e.token, now))
	case failure != nil:
		return secret.Token{}, failure, true
	}
	return secret.Token{}, nil, false
}

// runFetch runs the fetch that other goroutines wait for.
func (s *Session) runFetch(ctx context.Context, key cacheKey, call *memoryCall, get func() (secret.Token, error)) {
	call.isCanceled = true // for a get that panics
	defer func() {
		s.Memory.mu.Lock()
		defer s.Memory.mu.Unlock()
		delete(s.Memory.calls, key.name)
		close(call.done)
	}()
	before := s.reload(ctx, key)
	var ok bool
	if call.token, call.err, ok = before.lookup(key, s.Now()); !ok {
		call.token, call.err = get()
		s.cacheResult(ctx, key, call.token, call.err)
		if call.err != nil && !IsChanged(call.err) && before.token.IsValid(s.Now()) {
			s.Log.Debug("renewal failed, the token in memory is still valid", "expires", before.token.Expires, "error", call.err)
			call.token, call.err = before.token, nil
		}
	}
	call.isCanceled = call.err != nil && ctx.Err() != nil
}

// reload returns what is in memory, unless the vault no longer has the same: then another
// process has renewed or deleted it.
func (s *Session) reload(ctx context.Context, key cacheKey) memoryEntry {
	s.Memory.mu.Lock()
	e := s.Memory.entry(key, s.Now())
	s.Memory.mu.Unlock()
	if !e.isStored {
		return e
	}
	isStored := s.stores(ctx, key, e.token)
	s.Memory.mu.Lock()
	defer s.Memory.mu.Unlock()
	if s.Memory.entries[key.name].token != e.token { // replaced or deleted meanwhile
		return s.Memory.entries[key.name]
	}
	if !isStored {
		delete(s.Memory.entries, key.name)
		return memoryEntry{}
	}
	e.checked = s.Now()
	s.Memory.entries[key.name] = e
	return e
}

// stores reports whether the vault has this token.
func (s *Session) stores(ctx context.Context, key cacheKey, token secret.Token) bool {
	s.spaces = nil
	files, _ := s.lookUp(ctx, key)
	return slices.ContainsFunc(files, func(f keyspace.File) bool {
		return f.Issued.Equal(token.Issued) && f.Expires.Equal(token.Expires)
	})
}

// cacheResult puts the result of a fetch into memory, unless the vault has recorded a
// failure: that stays there, where other processes can delete it.
func (s *Session) cacheResult(ctx context.Context, key cacheKey, token secret.Token, err error) {
	e := memoryEntry{server: key.header.Server, token: token, checked: s.Now()}
	if err == nil {
		e.isStored = s.stores(ctx, key, token)
		s.Memory.put(key.name, e, e.checked)
		return
	}
	s.spaces = nil
	if _, recorded := s.lookUp(ctx, key); recorded == nil {
		old := s.reload(ctx, key)
		old.server, old.failure = e.server, s.newFailure(ctx, key, err, old.token)
		s.Memory.put(key.name, old, s.Now())
	}
}

// put replaces an entry, but not a newer token by an older one, and deletes the entries that
// have ended.
func (m *Memory) put(name string, e memoryEntry, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries == nil {
		m.entries = map[string]memoryEntry{}
	}
	if old := m.entries[name].token; !old.IsValid(now) || !old.Issued.After(e.token.Issued) {
		m.entries[name] = e
	}
	maps.DeleteFunc(m.entries, func(_ string, e memoryEntry) bool {
		return !e.token.IsValid(now) && e.failure.at(now) == nil
	})
}

// drop deletes an entry.
func (m *Memory) drop(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.entries, name)
}

// erase deletes the entries of the servers that a login covers, and all sign-ins.
func (m *Memory) erase(covers func(server string) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.entries, func(_ string, e memoryEntry) bool { return e.server == "" || covers(e.server) })
}
