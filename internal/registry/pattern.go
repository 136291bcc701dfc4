package registry

import (
	"cmp"
	"fmt"
	"path"
	"strings"
)

// IsPattern says whether a string could match a Host: a host as String returns
// it, or letters, digits, hyphens, dots and stars before one of the suffixes.
func (c Clouds) IsPattern(pattern string) bool {
	if !strings.Contains(pattern, "*") {
		host, err := c.ParseHost(pattern)
		return err == nil && host.name == pattern
	}
	for _, c := range c.each() {
		label, ok := strings.CutSuffix(pattern, "."+c.Suffix)
		if ok && c.Suffix != "" && strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-.*") == "" {
			return true
		}
	}
	return false
}

// Matches says whether a pattern means a host. A star stands for any run of
// letters, digits and hyphens, never for a dot; a pattern that means the
// registry as a whole covers its regional endpoints too.
func Matches(pattern string, host Host) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == host.String()
	}
	return glob(pattern, host.String()) || glob(pattern, host.Global())
}

// glob gives path.Match dots for slashes, since that is what its star stops at.
func glob(pattern, name string) bool {
	slashes := func(s string) string { return strings.ReplaceAll(s, ".", "/") }
	ok, err := path.Match(slashes(pattern), slashes(name))
	return ok && err == nil
}

// MoreSpecific compares patterns that match the same host, as cmp.Compare does:
// a whole name beats every pattern, then the one with more literal characters
// wins.
func MoreSpecific(a, b string) int {
	rank := func(p string) int {
		if stars := strings.Count(p, "*"); stars > 0 {
			return len(p) - stars
		}
		return 1 << 20
	}
	return cmp.Compare(rank(a), rank(b))
}

// Example is a host that a pattern matches, for questions whose answer depends on
// the cloud alone. A pattern without a star is its own example.
func (c Clouds) Example(pattern string) (Host, error) {
	if !c.IsPattern(pattern) {
		return Host{}, fmt.Errorf("%q is neither a login server, such as contoso.azurecr.io, nor a pattern, such as *.azurecr.io", pattern)
	}
	return c.ParseHost(strings.ReplaceAll(pattern, "*", "x"))
}
