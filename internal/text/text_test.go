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

func TestLine(t *testing.T) {
	for s, want := range map[string]string{
		"plain text":                       "plain text",
		"Zoë":                              "Zoë",
		"two\nlines\r\n":                   "two lines  ",
		"\x1b[31mred\x1b[0m":               "?[31mred?[0m",
		"a\x00b\x7f":                       "a?b?",
		"right\u202eto left":               "right?to left",
		"zero\u200bwidth\ufeff":            "zero?width?",
		"\xff":                             "\ufffd",
		"a\u3164b\u034f\ufe0f\u2800\u00ad": "a?b????",
	} {
		if got := Line(s); got != want {
			t.Errorf("Line(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for arg, want := range map[string]string{
		"contoso.azurecr.io":          "contoso.azurecr.io",
		"https://index.docker.io/v1/": "https://index.docker.io/v1/",
		"*.azurecr.io":                "'*.azurecr.io'",
		"it's":                        `'it'\''s'`,
		"":                            "''",
	} {
		if got := Quote(arg); got != want {
			t.Errorf("Quote(%q) = %s, want %s", arg, got, want)
		}
	}
}
