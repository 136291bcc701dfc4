// Package text checks and cleans short pieces of text: names, ids and whatever comes from
// outside and is about to be shown.
package text

import (
	"strings"
	"unicode"
)

// Sets of characters for Only.
const (
	Digits = "0123456789"
	Lower  = "abcdefghijklmnopqrstuvwxyz"
	Upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// Only reports whether every byte of s is in set, which must be ASCII. The empty string
// has none that isn't.
func Only(s, set string) bool {
	return strings.Trim(s, set) == "" // Trim stops at what isn't in set
}

// IsGUID reports whether s has the form of a client, object or tenant id: 8-4-4-4-12
// hexadecimal digits.
func IsGUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		strings.Count(s, "-") == 4 && Only(s, Digits+"abcdefABCDEF-")
}

// IsHostName reports whether s can be a host name or a GUID. Nothing else may become part
// of a URL, or an argument of another program: s never begins with a hyphen.
func IsHostName(s string) bool {
	return s != "" && len(s) <= 253 && Only(s, Lower+Upper+Digits+".-") && strings.Trim(s, ".-") == s
}

// IsVisible reports whether s is ASCII without spaces and control characters, and not
// empty: it can be sent in a header.
func IsVisible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// IsTenant reports whether s names one tenant of Microsoft Entra: a GUID or a domain, but
// none of Entra's words for several of them (common, organizations, consumers).
func IsTenant(s string) bool {
	return IsGUID(s) || IsHostName(s) && strings.Contains(s, ".")
}

// Line makes text fit to be shown on one line of a terminal: white space becomes a space,
// and every other character that can't be printed or seen (control characters, marks of
// direction, zero width, fillers) a question mark. Everything that comes from outside the
// program goes through it.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r), unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector),
			r == '\u2800': // a blank
			return '?'
		}
		return r
	}, s)
}

// Quote quotes an argument for a POSIX shell, if it needs quotes.
func Quote(arg string) string {
	if arg != "" && Only(arg, Lower+Upper+Digits+"._:/-") {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
