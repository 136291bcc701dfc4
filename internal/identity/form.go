package identity

import (
	"strings"
	"unicode"
)

// IsGUID says whether a string has the form of a client or tenant id.
func IsGUID(s string) bool {
	groups := strings.Split(s, "-")
	if len(groups) != 5 {
		return false
	}
	for i, digits := range []int{8, 4, 4, 4, 12} {
		if len(groups[i]) != digits || strings.Trim(groups[i], "0123456789abcdefABCDEF") != "" {
			return false
		}
	}
	return true
}

// IsTenant accepts a GUID or a domain; Entra's common, organizations and
// consumers stand for no tenant in particular.
func IsTenant(s string) bool {
	return IsName(s) && (IsGUID(s) || strings.Contains(s, "."))
}

// IsName accepts what can be a host name. It keeps anything else out of URLs
// and of other programs' command lines.
func IsName(s string) bool {
	const alphanumeric = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return s != "" && len(s) <= 253 && strings.Trim(s, alphanumeric+".-") == "" && strings.Trim(s, ".-") == s
}

// Printable keeps a name that somebody else wrote to one line.
func Printable(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, name)
}
