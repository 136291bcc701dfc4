package kubelet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Config is kubelet's CredentialProviderConfig, the file of the option
// --image-credential-provider-config. (k8s.io/kubelet/config/v1.)
type Config struct {
	Version   string     `yaml:"apiVersion"`
	Kind      string     `yaml:"kind"`
	Providers []Provider `yaml:"providers"`
}

// A Provider is one entry of it. Name is its program's, below kubelet's directory of
// providers.
type Provider struct {
	Name        string   `yaml:"name"`
	Version     string   `yaml:"apiVersion"`
	MatchImages []string `yaml:"matchImages"`
	// CacheFor is a duration such as 10m, for responses that say nothing.
	CacheFor        string           `yaml:"defaultCacheDuration"`
	Args            []string         `yaml:"args,omitempty"`
	Env             []Variable       `yaml:"env,omitempty"`
	TokenAttributes *TokenAttributes `yaml:"tokenAttributes,omitempty"`
}

// A Variable is one of the environment.
type Variable struct {
	Name  string `yaml:"name"`
	Value string `yaml:"value"`
}

// TokenAttributes make kubelet pass the token of the pod's service account.
type TokenAttributes struct {
	Audience            string   `yaml:"serviceAccountTokenAudience"`
	CacheType           string   `yaml:"cacheType"`
	Require             *bool    `yaml:"requireServiceAccount"`
	RequiredAnnotations []string `yaml:"requiredServiceAccountAnnotationKeys,omitempty"`
	OptionalAnnotations []string `yaml:"optionalServiceAccountAnnotationKeys,omitempty"`
}

const (
	configKind  = "CredentialProviderConfig"
	configGroup = "kubelet.config.k8s.io/"
)

// NewConfig returns a Config with one provider, which is asked about images that match
// patterns.
func NewConfig(p Provider, patterns []string) Config {
	p.Version, p.CacheFor, p.MatchImages = Versions[0], "10m", patterns
	return Config{configGroup + "v1", configKind, []Provider{p}}
}

// Encode returns the file.
func (c Config) Encode() ([]byte, error) {
	return yaml.MarshalWithOptions(c, yaml.IndentSequence(true), yaml.UseSingleQuote(true))
}

// ParseConfig parses such a file as strictly as kubelet does, which doesn't start where
// anything in it is wrong. Whether the programs exist is not checked.
func ParseConfig(content []byte) (Config, error) {
	var c Config
	if err := yaml.NewDecoder(bytes.NewReader(content), yaml.Strict()).Decode(&c); err != nil && err != io.EOF {
		line, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return Config{}, errors.New(line)
	}
	versions := []string{configGroup + "v1", configGroup + "v1beta1", configGroup + "v1alpha1"}
	if c.Kind != configKind || !slices.Contains(versions, c.Version) {
		return Config{}, fmt.Errorf("it must have kind %s and apiVersion %sv1", configKind, configGroup)
	}
	if len(c.Providers) == 0 {
		return Config{}, errors.New("it has no providers")
	}
	seen := map[string]bool{}
	for i, p := range c.Providers {
		if p.Name == "" {
			return Config{}, fmt.Errorf("provider %d has no name", i+1)
		}
		if seen[p.Name] {
			return Config{}, fmt.Errorf("provider %s appears twice", text.Line(p.Name))
		}
		seen[p.Name] = true
		if err := p.validate(c.Version); err != nil {
			return Config{}, fmt.Errorf("provider %s: %w", text.Line(p.Name), err)
		}
	}
	return c, nil
}

func (p Provider) validate(configVersion string) error {
	duration, err := time.ParseDuration(p.CacheFor)
	switch {
	case strings.ContainsAny(p.Name, "/ ") || p.Name == "." || p.Name == "..":
		return errors.New("name must be a file's name, without slashes and spaces")
	case !slices.Contains(Versions, p.Version):
		return fmt.Errorf("apiVersion must be one of %s", strings.Join(Versions, ", "))
	case len(p.MatchImages) == 0:
		return errors.New("matchImages is missing")
	case p.CacheFor == "":
		return errors.New("defaultCacheDuration is missing")
	case err != nil || duration < 0:
		return errors.New("defaultCacheDuration must be a duration such as 10m")
	}
	for _, pattern := range p.MatchImages {
		if _, err := splitPattern(pattern); err != nil {
			return fmt.Errorf("matchImages: %q: %w", text.Line(pattern), err)
		}
	}
	if p.TokenAttributes == nil {
		return nil
	}
	if p.Version != Versions[0] {
		return fmt.Errorf("tokenAttributes needs apiVersion %s", Versions[0])
	}
	if configVersion != configGroup+"v1" {
		return fmt.Errorf("tokenAttributes needs a file with apiVersion %sv1", configGroup)
	}
	return p.TokenAttributes.validate()
}

func (t TokenAttributes) validate() error {
	switch {
	case t.Audience == "":
		return errors.New("serviceAccountTokenAudience is missing")
	case t.CacheType != "ServiceAccount" && t.CacheType != "Token":
		return errors.New("cacheType must be ServiceAccount or Token")
	case t.Require == nil:
		return errors.New("requireServiceAccount is missing")
	case len(t.RequiredAnnotations) > 0 && !*t.Require:
		return errors.New("requiredServiceAccountAnnotationKeys needs requireServiceAccount: true")
	}
	seen := map[string]bool{}
	for _, key := range slices.Concat(t.RequiredAnnotations, t.OptionalAnnotations) {
		const allowed = text.Lower + text.Upper + text.Digits + "-_./"
		if name := key[strings.LastIndex(key, "/")+1:]; name == "" || !text.Only(key, allowed) {
			return fmt.Errorf("%q is not the key of an annotation", text.Line(key))
		}
		if seen[key] {
			return fmt.Errorf("the annotation %s appears twice", text.Line(key))
		}
		seen[key] = true
	}
	return nil
}

// A pattern is one of matchImages, or an image: host, port and path.
type pattern struct{ host, port, path string }

func splitPattern(s string) (pattern, error) {
	u, err := url.Parse("https://" + s)
	if err != nil {
		return pattern{}, errors.New("it is not a host with a path")
	}
	return pattern{u.Hostname(), u.Port(), u.Path}, nil
}

// Matches reports whether kubelet would ask the provider about an image. A star stands for
// a part of the host between two dots, ports must be the same, and the pattern's path is
// the beginning of the image's.
func (p Provider) Matches(image string) bool {
	target, err := splitPattern(image)
	return err == nil && slices.ContainsFunc(p.MatchImages, func(match string) bool {
		want, err := splitPattern(match)
		return err == nil && want.matches(target)
	})
}

func (p pattern) matches(image pattern) bool {
	wanted, parts := strings.Split(p.host, "."), strings.Split(image.host, ".")
	if p.port != image.port || len(wanted) != len(parts) || !strings.HasPrefix(image.path, p.path) {
		return false
	}
	for i := range parts {
		if ok, err := filepath.Match(wanted[i], parts[i]); !ok || err != nil {
			return false
		}
	}
	return true
}
