package identity

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/docker-credential-acr/docker-credential-acr/internal/owner"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// An Entry is what a config file says about a host or pattern.
type Entry struct {
	Identity Kind
	Tenant   string
	ClientID string
	Audience string

	pattern string
	source  string
}

// Config is a config file. People and fleets write it; the program never does.
type Config struct {
	Registries map[string]Entry
	path       string
}

// maxConfig is far above a config file of thousands of registries.
const maxConfig = 1 << 20

// configs reads the config files, the user's first.
func (c Chooser) configs() (read []Config, err error) {
	for _, path := range []string{c.UserConfig, c.MachineConfig} {
		config, err := ReadConfig(path)
		if err != nil {
			return nil, err
		}
		read = append(read, config)
	}
	return read, nil
}

// Hosts lists the hosts, not the patterns, for which the config files name an
// identity that can answer.
func (c Chooser) Hosts() (hosts []string, err error) {
	configs, err := c.configs()
	for _, config := range configs {
		for pattern, e := range config.Registries {
			if !strings.Contains(pattern, "*") && e.Identity != "" && e.Identity != Anonymous {
				hosts = append(hosts, pattern)
			}
		}
	}
	return hosts, err
}

// entry finds the most specific entry for a host; the user's file wins over an
// equal one of the machine's. The zero Entry stands for none.
func (c Chooser) entry(host registry.Host) (best Entry, err error) {
	configs, err := c.configs()
	for _, config := range configs {
		found, err := config.match(host)
		if err != nil {
			return Entry{}, &Error{fmt.Sprintf("config file %s: %v", config.path, err), CodeConfig}
		}
		if found.pattern != "" && (best.pattern == "" || registry.MoreSpecific(found.pattern, best.pattern) > 0) {
			found.source = fmt.Sprintf("config file %s (%s)", config.path, found.pattern)
			best = found
		}
	}
	return best, err
}

// match finds the most specific entry of one file.
func (c Config) match(host registry.Host) (Entry, error) {
	var best []Entry
	for pattern, e := range c.Registries {
		if !registry.Matches(pattern, host) {
			continue
		}
		e.pattern = pattern
		if len(best) > 0 {
			switch d := registry.MoreSpecific(pattern, best[0].pattern); {
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
	one, other := best[0].pattern, best[1].pattern
	return Entry{}, fmt.Errorf("%s and %s match equally well", min(one, other), max(one, other))
}

// configuresServicePrincipal says whether a config file has use for a secret
// that comes without a client id.
func (c Chooser) configuresServicePrincipal() bool {
	configs, _ := c.configs()
	return slices.ContainsFunc(configs, func(config Config) bool {
		for _, e := range config.Registries {
			if e.Identity == ServicePrincipal {
				return true
			}
		}
		return false
	})
}

// ReadConfig reads a config file. One that doesn't exist is empty; one that
// can't be trusted or understood is an error, since to ignore it would mean to
// be somebody else than its author wants.
func ReadConfig(path string) (Config, error) {
	if path == "" {
		return Config{}, nil
	}
	content, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, &Error{fmt.Sprintf("reading the config file: %v", err), CodeConfig}
	}
	if info, err := os.Stat(path); err == nil && owner.Trusted(info) != "" {
		return Config{}, &Error{fmt.Sprintf("config file %s: %s", path, owner.Trusted(info)), CodeConfigMode}
	}
	config, err := parseConfig(content)
	if err != nil {
		return Config{}, &Error{fmt.Sprintf("config file %s: %v", path, err), CodeConfig}
	}
	config.path = path
	return config, nil
}

// readRegular reads a file of other people's. Anything but a regular file could
// keep us waiting for ever, and a huge one is nothing that they meant.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfig {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxConfig)
	}
	return os.ReadFile(path)
}

func parseConfig(content []byte) (Config, error) {
	content = bytes.TrimPrefix(content, []byte("\ufeff")) // some editors begin with it
	if len(bytes.TrimSpace(content)) == 0 {
		return Config{}, errors.New("it is empty")
	}
	config := Config{Registries: map[string]Entry{}}
	err := eachKey(content, func(key string, value json.RawMessage) error {
		if key != "registries" {
			return fmt.Errorf("unknown field %q", key)
		}
		return eachKey(value, func(pattern string, value json.RawMessage) error {
			entry, err := parseEntry(value)
			config.Registries[pattern] = entry
			return cmp.Or(err, entry.check(pattern))
		})
	})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("it ends in the middle of the JSON object")
	}
	return config, err
}

func parseEntry(content []byte) (e Entry, err error) {
	fields := map[string]any{"identity": &e.Identity, "tenant": &e.Tenant, "clientId": &e.ClientID, "audience": &e.Audience}
	err = eachKey(content, func(key string, value json.RawMessage) error {
		field, ok := fields[key]
		if !ok {
			return fmt.Errorf("unknown field %q", key)
		}
		if json.Unmarshal(value, field) != nil {
			return fmt.Errorf("%s is not a string", key)
		}
		return nil
	})
	return e, err
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

func (e Entry) check(pattern string) error {
	switch {
	case !registry.IsPattern(pattern):
		return fmt.Errorf("%q names no Azure container registry (a name is in lower case, and ends like contoso.azurecr.io)", pattern)
	case !slices.Contains([]Kind{"", Anonymous, ServicePrincipal, AzureCLI}, e.Identity):
		return fmt.Errorf("%s: there is no identity %q; there are %q, %q and %q", pattern, e.Identity, ServicePrincipal, AzureCLI, Anonymous)
	case e.Identity == ServicePrincipal && !IsGUID(e.ClientID):
		return fmt.Errorf("%s: a service principal needs a GUID as its clientId", pattern)
	case e.Identity != ServicePrincipal && e.ClientID != "":
		return fmt.Errorf("%s: clientId is of use to a service principal only", pattern)
	case e.Tenant != "" && !validTenant(e.Tenant):
		return fmt.Errorf("%s: tenant %q is neither a GUID nor a domain", pattern, e.Tenant)
	case e.Audience != "" && !validAudience(e.Audience):
		return fmt.Errorf("%s: audience %q is not of the form https://HOST", pattern, e.Audience)
	}
	return nil
}

// validAudience keeps an audience to what may stand in a scope and on Azure
// CLI's command line.
func validAudience(s string) bool {
	host, ok := strings.CutPrefix(s, "https://")
	return ok && validName(host)
}
