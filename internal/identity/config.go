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

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
)

// An Entry is what a config file says about a host or pattern.
type Entry struct {
	Identity Kind   `json:"identity"`
	Tenant   string `json:"tenant"`
	ClientID string `json:"clientId"`
	Audience string `json:"audience"`

	pattern string
	source  string
}

// Config is a config file. People and fleets write it; the program never does.
type Config struct {
	Registries map[string]Entry `json:"registries"`
}

// maxConfig is far above a config file of thousands of registries.
const maxConfig = 1 << 20

// Hosts lists the hosts, not the patterns, for which the config files name an
// identity that can answer.
func (c Chooser) Hosts() ([]string, error) {
	var hosts []string
	for _, path := range []string{c.UserConfig, c.MachineConfig} {
		config, err := ReadConfig(path)
		if err != nil {
			return nil, err
		}
		for pattern, e := range config.Registries {
			if !strings.Contains(pattern, "*") && e.Identity != "" && e.Identity != Anonymous {
				hosts = append(hosts, pattern)
			}
		}
	}
	return hosts, nil
}

// entry finds the most specific entry for a host; the user's file wins over an
// equal one of the machine's. The zero Entry stands for none.
func (c Chooser) entry(host registry.Host) (Entry, error) {
	var best Entry
	for _, path := range []string{c.UserConfig, c.MachineConfig} {
		config, err := ReadConfig(path)
		if err != nil {
			return Entry{}, err
		}
		found, err := config.match(host)
		if err != nil {
			return Entry{}, &Error{fmt.Sprintf("config file %s: %v", path, err), CodeConfig}
		}
		if found.pattern != "" && (best.pattern == "" || moreSpecific(found.pattern, best.pattern) > 0) {
			found.source = fmt.Sprintf("config file %s (%s)", path, found.pattern)
			best = found
		}
	}
	return best, nil
}

// match finds the most specific entry of one file.
func (c Config) match(host registry.Host) (Entry, error) {
	var best []Entry
	for pattern, e := range c.Registries {
		if !matches(pattern, host) {
			continue
		}
		e.pattern = pattern
		if len(best) > 0 {
			switch d := moreSpecific(pattern, best[0].pattern); {
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
	names := []string{best[0].pattern, best[1].pattern}
	slices.Sort(names)
	return Entry{}, fmt.Errorf("%s and %s match equally well", names[0], names[1])
}

// moreSpecific compares patterns that match the same host: a whole name beats
// every pattern, then the one with more literal characters wins.
func moreSpecific(a, b string) int {
	rank := func(p string) int {
		if stars := strings.Count(p, "*"); stars > 0 {
			return len(p) - stars
		}
		return 1 << 20
	}
	return cmp.Compare(rank(a), rank(b))
}

// matches says whether a pattern means a host. A star stands for any run of
// letters, digits and hyphens, never for a dot; a pattern that means the
// registry as a whole covers its regional endpoints too.
func matches(pattern string, host registry.Host) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == host.String()
	}
	return glob(pattern, host.String()) || glob(pattern, host.Global())
}

func glob(pattern, name string) bool {
	literal, rest, star := strings.Cut(pattern, "*")
	after, ok := strings.CutPrefix(name, literal)
	if !ok || !star {
		return ok && after == ""
	}
	for i := 0; i <= len(after); i++ {
		if glob(rest, after[i:]) {
			return true
		}
		if i < len(after) && after[i] == '.' {
			return false
		}
	}
	return false
}

// ReadConfig reads a config file. One that doesn't exist is empty; one that
// can't be trusted or understood is an error, since to ignore it would mean to
// be somebody else than its author wants.
func ReadConfig(path string) (Config, error) {
	if path == "" {
		return Config{}, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, nil
	}
	if err != nil {
		return Config{}, &Error{fmt.Sprintf("reading the config file: %v", err), CodeConfig}
	}
	defer f.Close()
	config, err := parseConfig(f)
	if err != nil {
		return Config{}, &Error{fmt.Sprintf("config file %s: %v", path, err), CodeConfig}
	}
	return config, nil
}

func parseConfig(f *os.File) (Config, error) {
	info, err := f.Stat()
	if err != nil {
		return Config{}, err
	}
	if why := notTrusted(info); why != "" {
		return Config{}, errors.New(why)
	}
	content, err := io.ReadAll(io.LimitReader(f, maxConfig))
	if err != nil {
		return Config{}, err
	}
	var config Config
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&config); err != nil {
		return Config{}, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if decoder.More() {
		return Config{}, errors.New("there is something behind the end of the JSON object")
	}
	for pattern, e := range config.Registries {
		if err := e.check(pattern); err != nil {
			return Config{}, err
		}
	}
	return config, nil
}

func (e Entry) check(pattern string) error {
	switch {
	case !registry.IsPattern(pattern):
		return fmt.Errorf("%q names no Azure container registry", pattern)
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
