// Package config reads the files in which people and fleets say who to be for which
// registry. The program never writes them.
package config

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// Files are the config files, which need not exist; empty where there is no place for
// one. The user's wins over what the machine's says as specifically.
type Files struct{ User, Machine string }

// A file is what one of them says.
type file struct {
	// registries says who to be for a host or pattern.
	registries map[string]Entry
	// clouds are those that aren't built in.
	clouds registry.Clouds
	// delegate names the helper for other registries' logins; "" for none.
	delegate string
	path     string
}

// read reads the files, the user's first. A file's entries may be about
// the other one's clouds.
func (f Files) read() (read []file, err error) {
	var clouds registry.Clouds
	for _, path := range []string{f.User, f.Machine} {
		config, err := readFile(path)
		if err != nil {
			return nil, err
		}
		read = append(read, config)
		clouds = append(clouds, config.clouds...)
	}
	for _, config := range read {
		for _, pattern := range slices.Sorted(maps.Keys(config.registries)) {
			if err := config.registries[pattern].check(pattern, clouds); err != nil {
				return nil, config.wrong(err)
			}
		}
	}
	return read, nil
}

// Clouds are the custom clouds of the config files, the most specific suffix
// first, the user's before the machine's.
func (f Files) Clouds() (clouds registry.Clouds, err error) {
	files, err := f.read()
	for _, config := range files {
		clouds = append(clouds, config.clouds...)
	}
	slices.SortStableFunc(clouds, func(a, b registry.Cloud) int { return len(b.Suffix) - len(a.Suffix) })
	return clouds, err
}

func (c file) wrong(err error) error {
	return &identity.Error{Why: fmt.Sprintf("config file %s: %v", c.path, err), Hint: identity.CodeConfig}
}

// Delegate names the helper that other registries' logins are handed to; "" for
// none. Files that are wrong are an error only where they speak of one: other
// registries don't care about the rest.
func (f Files) Delegate() (name string, err error) {
	files, err := f.read()
	for _, config := range files {
		name = cmp.Or(name, config.delegate)
	}
	if err != nil && !mentionsDelegate(f.User) && !mentionsDelegate(f.Machine) {
		err = nil
	}
	return name, err
}

func mentionsDelegate(path string) bool {
	content, err := owner.ReadRegular(path)
	return err == nil && bytes.Contains(content, []byte(`"delegate"`))
}

// Hosts lists the hosts, not the patterns, for which the config files name an
// identity that can answer.
func (f Files) Hosts() (hosts []string, err error) {
	files, err := f.read()
	for _, config := range files {
		for pattern, e := range config.registries {
			if !strings.Contains(pattern, "*") && e.Identity != "" && e.Identity != identity.Anonymous {
				hosts = append(hosts, pattern)
			}
		}
	}
	return hosts, err
}

// Entries lists all entries that name an identity, the user's file first; of two
// for the same host or pattern, the one that counts.
func (f Files) Entries() (entries []Entry, err error) {
	files, err := f.read()
	seen := map[string]bool{}
	for _, config := range files {
		for _, pattern := range slices.Sorted(maps.Keys(config.registries)) {
			e := config.registries[pattern]
			if e.Identity == "" || seen[pattern] {
				continue
			}
			seen[pattern] = true
			e.Pattern, e.Source = pattern, config.source(pattern)
			entries = append(entries, e)
		}
	}
	return entries, err
}

// source says where an entry stands.
func (c file) source(pattern string) string {
	return fmt.Sprintf("config file %s (%s)", c.path, pattern)
}

// Entry finds the most specific entry for a host; the user's file wins over an
// equal one of the machine's. The zero Entry stands for none.
func (f Files) Entry(host registry.Host) (best Entry, err error) {
	files, err := f.read()
	for _, config := range files {
		found, err := config.match(host)
		if err != nil {
			return Entry{}, config.wrong(err)
		}
		if found.Pattern != "" && (best.Pattern == "" || registry.MoreSpecific(found.Pattern, best.Pattern) > 0) {
			found.Source = config.source(found.Pattern)
			best = found
		}
	}
	return best, err
}

// match finds the most specific entry of one file.
func (c file) match(host registry.Host) (Entry, error) {
	var best []Entry
	for pattern, e := range c.registries {
		if !registry.Matches(pattern, host) {
			continue
		}
		e.Pattern = pattern
		if len(best) > 0 {
			switch d := registry.MoreSpecific(pattern, best[0].Pattern); {
			case d < 0:
				continue
			case d > 0:
				best = nil
			}
		}
		best = append(best, e)
	}
	switch len(best) {
	case 0:
		return Entry{}, nil
	case 1:
		return best[0], nil
	}
	one, other := best[0].Pattern, best[1].Pattern
	return Entry{}, fmt.Errorf("%s and %s match equally well", min(one, other), max(one, other))
}

// ConfiguresApplication says whether a config file has use for a proof that comes
// without a client id.
func (f Files) ConfiguresApplication() bool {
	files, _ := f.read()
	return slices.ContainsFunc(files, func(config file) bool {
		for _, e := range config.registries {
			if _, application := identity.Words[e.Identity]; application {
				return true
			}
		}
		return false
	})
}

// readFile reads a config file. One that doesn't exist is empty; one that
// can't be trusted or understood is an error, since to ignore it would mean to
// be somebody else than its author wants.
func readFile(path string) (file, error) {
	if path == "" {
		return file{}, nil
	}
	content, err := owner.ReadRegular(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return file{}, nil
	}
	if err != nil {
		return file{}, &identity.Error{Why: fmt.Sprintf("reading the config file: %v", err), Hint: identity.CodeConfig}
	}
	if info, err := os.Stat(path); err == nil && owner.Trusted(info) != "" {
		return file{}, &identity.Error{Why: fmt.Sprintf("config file %s: %s", path, owner.Trusted(info)), Hint: identity.CodeConfigMode}
	}
	config, err := parseConfig(content)
	if err != nil {
		return file{}, &identity.Error{Why: fmt.Sprintf("config file %s: %v", path, err), Hint: identity.CodeConfig}
	}
	config.path = path
	return config, nil
}

func parseConfig(content []byte) (file, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // some editors begin with it
	if len(bytes.TrimSpace(content)) == 0 {
		return file{}, errors.New("it is empty")
	}
	config := file{registries: map[string]Entry{}}
	sections := map[string]func(key string, value json.RawMessage) error{
		"registries": func(pattern string, value json.RawMessage) (err error) {
			config.registries[pattern], err = parseEntry(value)
			return err
		},
		"clouds": func(name string, value json.RawMessage) error {
			cloud, err := parseCloud(name, value)
			config.clouds = append(config.clouds, cloud)
			return err
		},
	}
	err := eachKey(content, func(key string, value json.RawMessage) (err error) {
		if key == "delegate" {
			config.delegate, err = parseDelegate(value)
			return err
		}
		section, ok := sections[key]
		if !ok {
			return fmt.Errorf("unknown field %q", key)
		}
		return eachKey(value, section)
	})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends in the middle of the JSON object")
	}
	return config, err
}

// parseDelegate reads the name of a helper, which becomes part of a program's. We
// would ask ourselves for ever.
func parseDelegate(content []byte) (name string, err error) {
	switch err := json.Unmarshal(content, &name); {
	case err != nil:
		return "", errors.New("delegate is not a string")
	case name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return "", fmt.Errorf("delegate %q is not the name of a credential helper; of docker-credential-desktop it is desktop", name)
	case name == "acr":
		return "", errors.New("delegate acr is this very program; leave it out to have it keep other registries' logins")
	}
	return name, nil
}

// parseCloud reads a row of "clouds".
func parseCloud(name string, content []byte) (registry.Cloud, error) {
	var authority, audience, azureCLI string
	fields := map[string]*string{"authority": &authority, "audience": &audience, "azureCLI": &azureCLI}
	if err := eachString(content, fields); err != nil {
		return registry.Cloud{}, fmt.Errorf("%s: %w", name, err)
	}
	if audience != "" && !validAudience(audience) {
		return registry.Cloud{}, fmt.Errorf("%s: audience %q is not of the form https://HOST", name, audience)
	}
	return registry.NewCloud(name, authority, azureCLI, audience)
}

// eachString reads a JSON object whose values are strings.
func eachString(content []byte, fields map[string]*string) error {
	return eachKey(content, func(key string, value json.RawMessage) error {
		field, ok := fields[key]
		if !ok {
			return fmt.Errorf("unknown field %q", key)
		}
		if json.Unmarshal(value, field) != nil {
			return fmt.Errorf("%s is not a string", key)
		}
		return nil
	})
}

// eachKey reads a JSON object strictly: nothing may stand twice, be followed by
// something else, or be spelled otherwise than it should.
func eachKey(content []byte, visit func(key string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return cmp.Or(err, errors.New("there is something else where a JSON object should be"))
	}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		key := token.(string) // nothing else can be a key
		if seen[key] {
			return fmt.Errorf("%q stands twice", key)
		}
		seen[key] = true
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if err := visit(key, value); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is something behind the end of the JSON object")
	}
	return nil
}
