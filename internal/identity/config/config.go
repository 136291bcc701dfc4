// Package config reads the files in which users and fleets set which identity to use for
// which registry. The program never writes them.
package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/safefile"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Config is what the user's and the machine's config file say together; of two equally
// specific entries the user's counts. The zero value is that of no files.
type Config struct {
	// Clouds are the custom clouds, the most specific suffix first, the user's before the
	// machine's.
	Clouds registry.Clouds

	files []file
	err   error
	// delegateUnknown says that err may hide a delegate.
	delegateUnknown bool
}

// A file is the content of one config file.
type file struct {
	path string
	// registries maps a host or pattern to its entry.
	registries map[string]Entry
	// clouds are those that aren't built in.
	clouds registry.Clouds
	// delegate names the helper for other registries' logins; "" for none.
	delegate string
}

// Load reads the user's and the machine's config file, which need not exist; "" where
// there is no directory for one. A file that is wrong or can't be trusted is an error of
// the whole Config (see Err), because to ignore it would select another identity than its
// author wants.
func Load(user, machine string) (c Config) {
	for _, path := range []string{user, machine} {
		content, err := safefile.ReadTrusted(path, safefile.MaxText)
		f := file{path: path}
		switch {
		case path == "", errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
			continue
		case errors.Is(err, safefile.ErrUntrusted):
			content, _ = safefile.Read(path, safefile.MaxText) // only to look for a delegate
			err = &fault.Error{
				Code: fault.ConfigUntrusted, Object: text.Quote(path),
				Reason: fmt.Sprintf("config file %s: %v", path, err), Cause: err,
			}
		case err != nil:
			err = f.wrong(err)
		default:
			f, err = parse(path, content)
		}
		if err != nil {
			c.err = cmp.Or(c.err, err)
			c.delegateUnknown = c.delegateUnknown || bytes.Contains(content, []byte(`"delegate"`))
			continue
		}
		c.files = append(c.files, f)
		c.Clouds = append(c.Clouds, f.clouds...)
		c.delegateUnknown = c.delegateUnknown || f.delegate != ""
	}
	for _, f := range c.files { // a file's entries may be about the other one's clouds
		for _, pattern := range f.patterns() {
			if err := f.registries[pattern].check(c.Clouds); err != nil {
				c.err = cmp.Or(c.err, f.wrong(err))
			}
		}
	}
	if c.err != nil {
		c.files, c.Clouds = nil, nil
	}
	slices.SortStableFunc(c.Clouds, func(a, b registry.Cloud) int { return len(b.Suffix) - len(a.Suffix) })
	return c
}

func (f file) wrong(err error) error {
	return fault.New(fault.Config, "config file %s: %v", f.path, err)
}

// patterns returns the hosts and patterns in the same order every time.
func (f file) patterns() []string { return slices.Sorted(maps.Keys(f.registries)) }

// Err returns what is wrong with the config files; nil if nothing is. Then all other
// methods return nothing.
func (c Config) Err() error { return c.err }

// Paths returns the config files that exist.
func (c Config) Paths() (paths []string) {
	for _, f := range c.files {
		paths = append(paths, f.path)
	}
	return paths
}

// Delegate returns the name of the helper that other registries' logins are handed to; ""
// for none. Files that are wrong are an error only if they may name one: the rest doesn't
// concern other registries.
func (c Config) Delegate() (name string, err error) {
	for _, f := range c.files {
		name = cmp.Or(name, f.delegate)
	}
	if c.delegateUnknown {
		err = c.err
	}
	return name, err
}

// Hosts returns the hosts, not the patterns, for which the config files name an identity
// that can sign in.
func (c Config) Hosts() (hosts []string) {
	for _, e := range c.Entries() {
		if !strings.Contains(e.Pattern, "*") && e.Identity != identity.Anonymous {
			hosts = append(hosts, e.Pattern)
		}
	}
	return hosts
}

// Entries returns all entries that name an identity, the user's first; of two for the
// same host or pattern, the one that counts.
func (c Config) Entries() (entries []Entry) {
	seen := map[string]bool{}
	for _, f := range c.files {
		for _, pattern := range f.patterns() {
			if e := f.registries[pattern]; e.Identity != identity.None && !seen[pattern] {
				entries = append(entries, e)
			}
			seen[pattern] = true
		}
	}
	return entries
}

// HasApplication reports whether a config file may use a credential that comes without a
// client ID.
func (c Config) HasApplication() bool {
	return slices.ContainsFunc(c.Entries(), func(e Entry) bool { return e.Identity.IsApplication() })
}

// Entry returns the most specific entry for a host; the zero Entry for none. Two entries
// of one file that match equally well are an error.
func (c Config) Entry(host registry.Host) (best Entry, err error) {
	for _, f := range c.files {
		pattern, tie := registry.MostSpecific(f.patterns(), host)
		switch {
		case tie != "":
			return Entry{}, f.wrong(fmt.Errorf("%s and %s match %s equally well; make one of them more specific", pattern, tie, host))
		case pattern != "" && (best.Pattern == "" || registry.CompareSpecificity(pattern, best.Pattern) > 0):
			best = f.registries[pattern]
		}
	}
	return best, c.err
}
