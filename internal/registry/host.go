// Package registry knows which server strings name an Azure Container
// Registry, and which cloud such a registry belongs to. ParseHost is the only
// way to get a Host: whoever holds one need not look at a suffix again.
package registry

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrForeign is what ParseHost answers to a well-formed name of some other
// registry (Docker Hub, ghcr.io, mcr.microsoft.com): not ours, and nothing is
// wrong with it.
var ErrForeign = errors.New("not an Azure container registry")

// A RefusedError is what ParseHost answers to a string that no client means
// well by: malformed, or made to look like a registry of Azure.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return "refused as a registry name: " + e.Reason }

// A Host is the login server of an Azure container registry, lower-case and
// without scheme, port or path. It comes from ParseHost only.
type Host struct {
	name  string
	cloud Cloud
}

// String returns the login server, for example "contoso.azurecr.io".
func (h Host) String() string { return h.name }

// Cloud is the cloud that the registry belongs to.
func (h Host) Cloud() Cloud { return h.cloud }

// Global is the login server of the registry as a whole. It differs from the
// host's own name for regional endpoints (contoso.westeurope.geo.azurecr.io
// belongs to contoso.azurecr.io), whose tokens may name either.
func (h Host) Global() string {
	if h.cloud.Whole != "" {
		return h.name
	}
	label, _, _ := strings.Cut(h.name, ".")
	return label + "." + h.cloud.Suffix
}

// maxServer is more than any client sends: a host name has at most 253 bytes,
// and a repository path is cut off.
const maxServer = 300

// ParseHost reads a server string where no custom clouds are configured; see
// Clouds.ParseHost.
func ParseHost(server string) (Host, error) { return Clouds(nil).ParseHost(server) }

// ParseHost reads what a client sends as a server: a host in any case, with or
// without https://, port 443, a trailing slash, /v1/, /v2/ or a repository.
// (go-containerregistry asks for host/repository first; docker stores URLs.)
// Everything else is refused rather than guessed: such a string once made other
// helpers send tokens to strangers (GO-2026-6225).
func (c Clouds) ParseHost(server string) (Host, error) {
	if err := checkBytes(server); err != nil {
		return Host{}, err
	}
	name, err := hostPart(strings.ToLower(server))
	if err != nil {
		return Host{}, err
	}
	if i := slices.IndexFunc(c, func(c Cloud) bool { return c.Whole == name }); i >= 0 {
		return Host{name, c[i]}, nil
	}
	for _, c := range c.each() {
		label, ok := strings.CutSuffix(name, "."+c.Suffix)
		if !ok || c.Suffix == "" {
			continue
		}
		if strings.HasSuffix(label, ".data") {
			return Host{}, ErrForeign // data endpoints hand out blobs by signed URL and never see a token
		}
		if !validLabel(label) {
			return Host{}, &RefusedError{"no registry is called " + name}
		}
		return Host{name, c}, nil
	}
	return Host{}, lookalike(name)
}

// checkBytes refuses what could be read differently by different readers:
// control characters, spaces and everything that isn't ASCII (homographs).
func checkBytes(server string) error {
	if server == "" {
		return &RefusedError{"it is empty"}
	}
	if len(server) > maxServer {
		return &RefusedError{fmt.Sprintf("it is longer than %d bytes", maxServer)}
	}
	for i := range len(server) {
		switch b := server[i]; {
		case b < 0x21 || b == 0x7f:
			return &RefusedError{"it holds a space or control character"}
		case b > 0x7e:
			return &RefusedError{"it holds a character that isn't ASCII"}
		}
	}
	return nil
}

// hostPart cuts scheme, port 443 and path off. Schemes and ports of other
// registries are their own business, so a string with one is foreign unless it
// speaks of an Azure registry.
func hostPart(server string) (string, error) {
	if strings.ContainsAny(server, `@%\?#*`) {
		return "", &RefusedError{"a registry name has no user, escape, query, fragment or star"}
	}
	rest, _ := strings.CutPrefix(server, "https://")
	if _, other, ok := strings.Cut(rest, "://"); ok {
		name, _, _ := strings.Cut(other, "/")
		return "", lookalike(name)
	}
	name, _, _ := strings.Cut(rest, "/")
	if name == "" {
		return "", &RefusedError{"it names no host"}
	}
	return strings.TrimSuffix(name, ":443"), nil
}

// lookalike tells a stranger from a string that borrows the name of Azure's
// registries: a wrong port, a trailing dot, a suffix in the wrong place.
func lookalike(server string) error {
	for _, c := range clouds {
		if strings.Contains(server, c.Suffix) {
			return &RefusedError{"it only looks like an Azure container registry; write NAME." + c.Suffix}
		}
	}
	return ErrForeign
}

// validLabel accepts a registry's own name, or NAME.REGION.geo. The name holds
// at most one hyphen, which parts it from the hash of a domain name label or
// from a tenant's suffix.
func validLabel(label string) bool {
	name, endpoint, regional := strings.Cut(label, ".")
	if regional {
		region, ok := strings.CutSuffix(endpoint, ".geo")
		if !ok || !alphanumeric(region) {
			return false
		}
	}
	first, second, hyphen := strings.Cut(name, "-")
	return len(name) <= 63 && alphanumeric(first) && (!hyphen || alphanumeric(second))
}

func alphanumeric(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
