package text

import "testing"

func TestIsGUID(t *testing.T) {
	for s, want := range map[string]bool{
		"7d1c0000-0000-4000-8000-00000000abcd":   true,
		"7D1C0000-0000-4000-8000-00000000ABCD":   true,
		"":                                       false,
		"7d1c0000-0000-4000-8000-00000000abc":    false,
		"7d1c0000-0000-4000-8000-00000000abcde":  false,
		"7d1c0000-0000-4000-8000-00000000abcg":   false,
		"7d1c000-00000-4000-8000-00000000abcd":   false,
		"{7d1c0000-0000-4000-8000-00000000abcd}": false,
		"7d1c000000004000800000000000abcd":       false,
	} {
		if IsGUID(s) != want {
			t.Errorf("IsGUID(%q) = %v", s, !want)
		}
	}
}

func TestIsVisible(t *testing.T) {
	for s, want := range map[string]bool{
		"!x~": true, "": false, "a b": false, "a\n": false, "a\x1b": false, "a\x7f": false, "é": false, "\xff": false,
	} {
		if IsVisible(s) != want {
			t.Errorf("IsVisible(%q) = %v", s, !want)
		}
	}
}

func TestIsTenant(t *testing.T) {
	for s, want := range map[string]bool{
		"11111111-2222-3333-4444-555555555555": true,
		"contoso.example":                      true,
		"contoso.onmicrosoft.com":              true,
		"common":                               false,
		"organizations":                        false,
		"":                                     false,
		"-contoso.example":                     false,
		"contoso.example.":                     false,
		"contoso.example/x":                    false,
		"contoso .example":                     false,
		"cöntoso.example":                      false,
	} {
		if IsTenant(s) != want {
			t.Errorf("IsTenant(%q) = %v", s, !want)
		}
	}
}

func TestQuote(t *testing.T) {
	for _, row := range []struct{ arg, posix, windows string }{
		{"contoso.azurecr.io", "contoso.azurecr.io", "contoso.azurecr.io"},
		{"https://index.docker.io/v1/", "https://index.docker.io/v1/", "https://index.docker.io/v1/"},
		{"*.azurecr.io", "'*.azurecr.io'", `"*.azurecr.io"`},
		{"it's", `'it'\''s'`, `"it's"`},
		{"", "''", `""`},
		{`C:\acr`, `'C:\acr'`, `C:\acr`},
		{`C:\Program Files (x86)\acr`, `'C:\Program Files (x86)\acr'`, `"C:\Program Files (x86)\acr"`},
		{"it's $(x)", `'it'\''s $(x)'`, "'it''s $(x)'"},
		{`a"b`, `'a"b'`, `'a"b'`},
		{"%PATH%", "'%PATH%'", "'%PATH%'"},
	} {
		if posix, windows := quotePOSIX(row.arg), quoteWindows(row.arg); posix != row.posix || windows != row.windows {
			t.Errorf("%q is %s, and on Windows %s", row.arg, posix, windows)
		}
	}
}

func TestSurroundings(t *testing.T) {
	for value, want := range map[string]string{
		"":            "",
		"a":           "",
		"a b":         "",
		`a"b`:         "",
		`"a"`:         "is in quotes",
		`'a'`:         "is in quotes",
		"`a`":         "is in quotes",
		"“a”":         "is in quotes",
		`""`:          "is in quotes",
		`"`:           "has a quote at one of its ends",
		`"a`:          "has a quote at one of its ends",
		`a'`:          "has a quote at one of its ends",
		"a\n":         "ends with a line break",
		"a\r\n":       "ends with a line break",
		"a\r":         "ends with a line break",
		"a ":          "ends with a space",
		"\ta":         "begins with a space",
		"\na":         "begins with a line break",
		"\"a\"\r\n":   "ends with a line break",
		" \n ":        "",
		"\ufeffa":     "begins with a byte order mark",
		`a\n`:         `ends with the characters \n`,
		"\u00a0a":     "begins with a space",
		"a\xff\xfe\"": "has a quote at one of its ends",
	} {
		if got := Surroundings(value); got != want {
			t.Errorf("Surroundings(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestIsPlaceholder(t *testing.T) {
	for value, want := range map[string]bool{
		"": false, "a": false, "$": false, "p$word": false, "$1$abc": false, "a<b>": false, "{a}": false,
		"$(SECRET)": true, "${SECRET}": true, "${{ secrets.SECRET }}": true, "$SECRET": true, "<tenant>": true,
		"%SECRET%": true, "{{ secret }}": true, "#{Secret}#": true, " $(SECRET)\r\n": true,
	} {
		if got := IsPlaceholder(value); got != want {
			t.Errorf("IsPlaceholder(%q) = %v", value, got)
		}
	}
}

func TestNearest(t *testing.T) {
	commands := []string{"login", "logout", "status", "doctor", "configure", "unconfigure", "get", "list"}
	for typed, want := range map[string]string{
		"logni": "login", "stauts": "status", "docter": "doctor", "confgure": "configure", "lgoin": "login", "lis": "list",
		"got": "get", "xyz": "", "": "", "nonsense": "", "statistics": "", "unlock": "", "status": "status",
	} {
		if got := Nearest(typed, commands); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}
