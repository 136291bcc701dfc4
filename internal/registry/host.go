// Package registry knows which server strings name an Azure container registry, and which
// cloud such a registry belongs to. ParseHost is the only way to get a Host, so code that
// holds one need not check the suffix again.
package registry

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// User names that mark a secret as a token, not a password.
const (
	// NullGUID goes with an ACR token. (Microsoft Learn, "Authenticate with an Azure
	// container registry".)
	NullGUID = "00000000-0000-0000-0000-000000000000"
	// IdentityToken goes with a token of any registry. (docker/docker-credential-helpers,
	// README.)
	IdentityToken = "<token>"
)

var (
	// ErrNotACR is ParseHost's error for a well-formed name of some other registry
	// (Docker Hub, ghcr.io, mcr.microsoft.com).
	ErrNotACR = errors.New("not an Azure container registry")
	// ErrInvalid is ParseHost's error for a string that no client sends in good faith:
	// malformed, or made to look like an Azure registry. The error that wraps it gives
	// the reason.
	ErrInvalid = errors.New("invalid registry name")
)

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// A Host is the login server of an Azure container registry, in lower case and without
// scheme, port or path. It comes from ParseHost only.
type Host struct {
	name  string
	cloud Cloud
}

// String returns the login server, for example "contoso.azurecr.io".
func (h Host) String() string { return h.name }

// Cloud returns the cloud that the registry belongs to.
func (h Host) Cloud() Cloud { return h.cloud }

// Global returns the login server of the whole registry. It differs from the host's own
// name for regional endpoints: contoso.westeurope.geo.azurecr.io belongs to
// contoso.azurecr.io, and its tokens may name either.
func (h Host) Global() string {
	if h.cloud.Host != "" {
		return h.name
	}
	label, _, _ := strings.Cut(h.name, ".")
	return label + "." + h.cloud.Suffix
}

// maxServer is more than any client sends: a host name has at most 253 bytes, and a
// repository path is cut off.
const maxServer = 300

// ParseHost parses a server string where no custom clouds are configured; see
// Clouds.ParseHost.
func ParseHost(server string) (Host, error) { return Clouds(nil).ParseHost(server) }

// ParseHost parses what a client sends as a server: a host in upper or lower case, with
// or without https://, port 443, a trailing slash, /v1/, /v2/ or a repository.
// (go-containerregistry asks for host/repository first; docker stores URLs.) Everything
// else is refused rather than guessed: such strings made other helpers send tokens to the
// wrong host (GO-2026-6225). The error wraps ErrNotACR or ErrInvalid.
func (c Clouds) ParseHost(server string) (Host, error) {
	name, err := c.hostPart(server)
	if err != nil {
		return Host{}, err
	}
	if i := slices.IndexFunc(c, func(cloud Cloud) bool { return cloud.Host == name }); i >= 0 {
		return Host{name, c[i]}, nil
	}
	for _, cloud := range slices.Concat(c, clouds) {
		label, ok := strings.CutSuffix(name, "."+cloud.Suffix)
		switch {
		case cloud.Suffix == "", !ok:
		case strings.HasSuffix(label, ".data"): // they serve blobs by signed URL and never see a token
			return Host{}, invalid("%s is a data endpoint, which needs no credential", name)
		case !isLabel(label):
			return Host{}, invalid("%s is not a valid name (letters, digits and at most one hyphen)", name)
		default:
			return Host{name, cloud}, nil
		}
	}
	return Host{}, c.notACR(name)
}

// hostPart returns the host in lower case, without https://, port 443 and path. Other
// schemes and ports are another registry's, unless the name looks like Azure's. What
// different readers could read differently is refused: control characters, spaces, and
// everything that isn't ASCII (homographs).
func (c Clouds) hostPart(server string) (string, error) {
	switch {
	case server == "":
		return "", invalid("it is empty")
	case len(server) > maxServer:
		return "", invalid("it is longer than %d bytes", maxServer)
	}
	for i := range len(server) {
		switch b := server[i]; {
		case b <= ' ' || b == 0x7f:
			return "", invalid("it contains a space or control character")
		case b > '~':
			return "", invalid("it contains a non-ASCII character")
		}
	}
	if strings.ContainsAny(server, `@%\?#*`) {
		return "", fmt.Errorf("%w: it contains one of @ %% \\ ? # *", ErrInvalid)
	}
	server = strings.TrimPrefix(strings.ToLower(server), "https://")
	scheme, rest, hasScheme := strings.Cut(server, "://")
	if !hasScheme {
		rest = scheme
	}
	name, _, _ := strings.Cut(rest, "/")
	switch {
	case hasScheme:
		return "", c.notACR(name)
	case name == "":
		return "", invalid("it has no host name")
	}
	return strings.TrimSuffix(name, ":443"), nil
}

// notACR tells another registry from a name that looks like an Azure registry: a wrong
// port, a trailing dot, the suffix in the wrong place.
func (c Clouds) notACR(name string) error {
	for _, cloud := range slices.Concat(c, clouds) {
		if cloud.Suffix != "" && strings.Contains(name, cloud.Suffix) ||
			cloud.Host != "" && strings.HasPrefix(name, cloud.Host) {
			return invalid("for an Azure container registry, use %s, without scheme or port",
				cmp.Or(cloud.Host, "NAME."+cloud.Suffix))
		}
	}
	return ErrNotACR
}

// isLabel reports whether label is a registry's own name, or NAME.REGION.geo. The name
// has at most one hyphen, before the hash of a domain name label or a tenant's suffix.
func isLabel(label string) bool {
	name, endpoint, regional := strings.Cut(label, ".")
	parts := strings.Split(name, "-")
	ok := len(parts) <= 2 && len(name) <= 63
	if regional {
		region, isGeo := strings.CutSuffix(endpoint, ".geo")
		parts, ok = append(parts, region), ok && isGeo
	}
	return ok && !slices.ContainsFunc(parts, func(s string) bool {
		return s == "" || !text.Only(s, text.Lower+text.Digits)
	})
}

// IsPattern reports whether a string could match a Host: a host as String returns it, or
// letters, digits, hyphens, dots and stars before one of the suffixes.
func (c Clouds) IsPattern(pattern string) bool {
	if !strings.Contains(pattern, "*") {
		host, err := c.ParseHost(pattern)
		return err == nil && host.name == pattern
	}
	return slices.ContainsFunc(slices.Concat(c, clouds), func(cloud Cloud) bool {
		label, ok := strings.CutSuffix(pattern, "."+cloud.Suffix)
		return ok && cloud.Suffix != "" && text.Only(label, text.Lower+text.Digits+"-.*")
	})
}

// Matches reports whether a pattern matches a host. A star stands for any run of letters,
// digits and hyphens, never for a dot; a pattern that matches the whole registry covers
// its regional endpoints too.
func Matches(pattern string, host Host) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == host.String()
	}
	return slices.ContainsFunc([]string{host.String(), host.Global()}, func(name string) bool {
		slashes := strings.NewReplacer(".", "/") // path.Match's star stops at slashes, as ours does at dots
		ok, _ := path.Match(slashes.Replace(pattern), slashes.Replace(name))
		return ok
	})
}

// MostSpecific returns the most specific of the patterns that match a host, and another
// one that is as specific; "" for none.
func MostSpecific(patterns []string, host Host) (best, tie string) {
	for _, p := range patterns {
		switch d := CompareSpecificity(p, best); {
		case !Matches(p, host):
		case best == "" || d > 0:
			best, tie = p, ""
		case d == 0:
			tie = p
		}
	}
	return best, tie
}

// CompareSpecificity compares patterns that match the same host, as cmp.Compare does: a
// host is more specific than every pattern, and of two patterns the one with more literal
// characters is.
func CompareSpecificity(a, b string) int { return cmp.Compare(specificity(a), specificity(b)) }

func specificity(pattern string) int {
	if stars := strings.Count(pattern, "*"); stars > 0 {
		return len(pattern) - stars
	}
	return maxServer + 1
}

// Example returns a host that a pattern matches, for questions whose answer depends on
// the cloud alone. A pattern without a star is its own example.
func (c Clouds) Example(pattern string) (Host, error) {
	if name := pattern + "." + clouds[0].Suffix; c.IsPattern(name) && !strings.ContainsAny(pattern, ".*") {
		return Host{}, fmt.Errorf("unknown registry %q; did you mean %s?", pattern, name)
	}
	if !c.IsPattern(pattern) {
		const examples = "for example contoso.azurecr.io or '*.azurecr.io'"
		return Host{}, fmt.Errorf("%q is not an Azure container registry or pattern (%s)", pattern, examples)
	}
	return c.ParseHost(strings.ReplaceAll(pattern, "*", "x"))
}
