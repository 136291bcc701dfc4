// Package text checks and cleans short pieces of text: names, ids and whatever comes from
// outside and is about to be shown.
package text

import (
	"regexp"
	"runtime"
	"strings"
	"sync"
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

// Quote quotes an argument for a POSIX shell, on Windows for PowerShell, if it needs
// quotes.
func Quote(arg string) string {
	if runtime.GOOS == "windows" {
		return quoteWindows(arg)
	}
	return quotePOSIX(arg)
}

const unquoted = Lower + Upper + Digits + "._:/-"

func quotePOSIX(arg string) string {
	if arg != "" && Only(arg, unquoted) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// quoteWindows takes double quotes, which cmd.exe has too, where nothing has a meaning in
// them.
func quoteWindows(arg string) string {
	switch {
	case arg != "" && Only(arg, unquoted+`\`):
		return arg
	case strings.ContainsAny(arg, "\"$`%\u201c\u201d\u201e"):
		return "'" + strings.NewReplacer("'", "''", "\u2018", "\u2018\u2018", "\u2019", "\u2019\u2019").Replace(arg) + "'"
	}
	return `"` + arg + `"`
}

// Surroundings says what of the place that a value was copied from still surrounds it, to
// continue a sentence: quotes, which a file for docker run --env-file keeps, a line break, a
// space, or a byte order mark. It is "" for nothing.
func Surroundings(value string) string {
	trimmed := strings.TrimSpace(value)
	before, _, _ := strings.Cut(value, trimmed)
	after := strings.TrimPrefix(value, before+trimmed)
	switch {
	case trimmed == "":
		return ""
	case strings.HasPrefix(value, "\ufeff"):
		return "begins with a byte order mark"
	case strings.HasSuffix(trimmed, `\n`):
		return `ends with the characters \n`
	case strings.ContainsAny(after, "\r\n"):
		return "ends with a line break"
	case after != "":
		return "ends with a space"
	case strings.ContainsAny(before, "\r\n"):
		return "begins with a line break"
	case before != "":
		return "begins with a space"
	}
	for _, pair := range []string{`""`, `''`, "``", "“”", "„“", "‘’", "«»"} {
		first, last := []rune(pair)[0], []rune(pair)[1]
		runes := []rune(value)
		if len(runes) > 1 && runes[0] == first && runes[len(runes)-1] == last {
			return "is in quotes"
		}
	}
	if strings.ContainsRune(`"'`, rune(value[0])) || strings.ContainsRune(`"'`, rune(value[len(value)-1])) {
		return "has a quote at one of its ends"
	}
	return ""
}

// placeholder is the whole value of a variable that a CI system, a shell, Compose or a
// template should have replaced.
var placeholder = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\$\{.*\}|\$\(.*\)|\$[A-Za-z_]\w*|\{\{.*\}\}|<.*>|%.*%|#\{.*\}#?)$`)
})

// IsPlaceholder reports whether a value is the name of a value that should have taken its
// place, such as $(SECRET) in Azure Pipelines, where that is not set.
func IsPlaceholder(value string) bool { return placeholder().MatchString(strings.TrimSpace(value)) }

// Nearest returns the candidate that was probably meant: the one with the fewest typing
// errors, of at most two, and fewer than half of its letters; "" for none.
func Nearest(typed string, candidates []string) (nearest string) {
	best := 3
	for _, c := range candidates {
		if n := typos(typed, c); n < best && 2*n < len(c) {
			nearest, best = c, n
		}
	}
	return nearest
}

// typos returns how many letters must be added, left out, replaced, or exchanged with their
// neighbor to make b of a. (The optimal string alignment distance.)
func typos(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replaced)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
