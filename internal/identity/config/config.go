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
	"os"
	"path/filepath"
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

	paths    []string
	files    []file
	problems []Problem
	err      error // the first problem that stops every registry
	// delegateUnknown says that err may hide a delegate.
	delegateUnknown bool
}

// A file is the content of one config file.
type file struct {
	path   string
	parser *parser
	// registries maps a host or pattern to its entry.
	registries map[string]parsedEntry
	// clouds are those that aren't built in.
	clouds registry.Clouds
	// delegate names the helper for other registries' logins; "" for none.
	delegate string
	// keyring is where the encryption key is kept; "" for no choice.
	keyring string
}

// Load reads the user's and the machine's config file, which need not exist; "" where
// there is no directory for one. A wrong entry is an error for the registries that it matches
// (see Entry), everything else that is wrong for every registry (see Err): to ignore it would
// select another identity than its author wants.
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
		case errors.Is(err, fs.ErrPermission):
			err = f.denied(path == machine)
		case err != nil:
			err = f.wrong(err)
		}
		c.add(f, content, err)
	}
	if len(c.files) > 0 {
		c.finish()
	}
	return c
}

// Check returns what is wrong with a config file by itself, in the order of its lines. It may
// be one that other users could have written.
func Check(path string) []Problem {
	content, err := safefile.Read(path, safefile.MaxText)
	f := file{path: path}
	if err != nil {
		err = f.wrong(err)
	}
	var c Config
	c.add(f, content, err)
	c.finish()
	return c.problems
}

// add parses a file, unless it can't be read.
func (c *Config) add(f file, content []byte, unreadable error) {
	if unreadable != nil {
		reason := strings.TrimPrefix(unreadable.Error(), "config file "+f.path+": ")
		f.parser = &parser{problems: []Problem{{Path: f.path, Reason: reason, cause: unreadable}}}
	} else {
		f = parse(f.path, content)
	}
	c.delegateUnknown = c.delegateUnknown || f.delegate != ""
	if slices.ContainsFunc(f.parser.problems, Problem.StopsAll) && bytes.Contains(content, []byte(`"delegate"`)) {
		c.delegateUnknown = true
	}
	c.paths = append(c.paths, f.path)
	c.files = append(c.files, f)
	c.Clouds = append(c.Clouds, f.clouds...)
}

// finish checks the entries: a file's may be about the other one's clouds. Wrong ones are
// removed, or all where something stops every registry.
func (c *Config) finish() {
	for _, f := range c.files {
		f.checkEntries(c.Clouds)
		problems := f.parser.problems
		slices.SortStableFunc(problems, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		for _, p := range problems {
			delete(f.registries, p.Pattern)
		}
		c.problems = append(c.problems, problems...)
	}
	if i := slices.IndexFunc(c.problems, Problem.StopsAll); i >= 0 {
		c.err, c.files, c.Clouds = c.problems[i].Err(), nil, nil
	}
	slices.SortStableFunc(c.Clouds, func(a, b registry.Cloud) int { return len(b.Suffix) - len(a.Suffix) })
}

// checkEntries adds what is wrong with the entries of a file that could be parsed.
func (f file) checkEntries(clouds registry.Clouds) {
	for _, pattern := range f.patterns() {
		e := f.registries[pattern]
		if !clouds.IsPattern(pattern) {
			f.parser.add(e.at, "", "", "%q is not an Azure container registry or pattern "+
				"(lower case, for example contoso.azurecr.io or *.azurecr.io)", pattern)
			continue
		}
		if slices.ContainsFunc(f.parser.problems, func(p Problem) bool { return p.Pattern == pattern }) {
			continue // what else is wrong may follow from that
		}
		key, err := e.check()
		if err == nil {
			continue
		}
		at, suggestion := e.at, ""
		if found, ok := e.keys[key]; ok {
			at = found
		}
		if key == "identity" {
			suggestion = text.Nearest(string(e.Identity), kindNames())
		}
		if suggestion == string(e.Identity) {
			suggestion = ""
		}
		f.parser.add(at, pattern, suggestion, "%v", err)
	}
}

func (f file) wrong(err error) error {
	return fault.New(fault.Config, "config file %s: %v", f.path, err)
}

// denied is the error for a file that this user can't read, or whose directory this user
// can't enter: an administrator made it for root alone.
func (f file) denied(isMachineWide bool) error {
	e := &fault.Error{
		Code: fault.ConfigDenied, Object: text.Quote(f.path), Cause: fs.ErrPermission,
		Reason: fmt.Sprintf("config file %s: permission denied", f.path),
	}
	closed := f.path
	for err := fs.ErrPermission; errors.Is(err, fs.ErrPermission) && closed != filepath.Dir(closed); {
		if _, err = os.Stat(closed); err != nil {
			closed = filepath.Dir(closed)
		}
	}
	if isMachineWide && closed != f.path {
		e.Code, e.Object = fault.ConfigDirectory, text.Quote(closed)
	}
	return e
}

// patterns returns the hosts and patterns in the same order every time.
func (f file) patterns() []string { return slices.Sorted(maps.Keys(f.registries)) }

// Err returns what in the config files stops every registry; nil for nothing. Then all other
// methods but Paths and Problems return nothing.
func (c Config) Err() error { return c.err }

// Problems returns all that is wrong with the config files.
func (c Config) Problems() []Problem { return c.problems }

// EntryErr returns what is wrong with the entry for a host or pattern; nil for nothing.
func (c Config) EntryErr(pattern string) error {
	for _, p := range c.problems {
		if p.Pattern == pattern {
			return p.Err()
		}
	}
	return c.err
}

// Paths returns the config files that exist.
func (c Config) Paths() []string { return c.paths }

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

// Keyring returns where the encryption key is kept (auto, os, kernel, file or none); ""
// where no file says so.
func (c Config) Keyring() (name string) {
	for _, f := range c.files {
		name = cmp.Or(name, f.keyring)
	}
	return name
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
			if e := f.registries[pattern].Entry; e.Identity != identity.None && !seen[pattern] {
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

// Entry returns the most specific entry for a host; the zero Entry for none. A wrong entry that
// matches is an error, even if another one is more specific, and so are two entries of one
// file that match equally well.
func (c Config) Entry(host registry.Host) (best Entry, err error) {
	for _, p := range c.problems {
		if c.err == nil && registry.Matches(p.Pattern, host) {
			return Entry{}, p.Err()
		}
	}
	for _, f := range c.files {
		pattern, tie := registry.MostSpecific(f.patterns(), host)
		switch {
		case tie != "":
			return Entry{}, f.wrong(fmt.Errorf("%s and %s match %s equally well; make one of them more specific",
				pattern, tie, host))
		case pattern != "" && (best.Pattern == "" || registry.CompareSpecificity(pattern, best.Pattern) > 0):
			best = f.registries[pattern].Entry
		}
	}
	return best, c.err
}
