package text

import (
	"encoding/json"
	"strings"
	"testing"
)

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

func TestWriter_keeps_lines_and_tabs(t *testing.T) {
	var out strings.Builder
	const written = "a\tb\r\n\x1b[31mc\u202e\xff\n"
	n, err := Writer{&out}.Write([]byte(written))
	if want := "a\tb \n?[31mc?\ufffd\n"; n != len(written) || err != nil || out.String() != want {
		t.Errorf("%d %v %q, want %q", n, err, out.String(), want)
	}
}

func TestJSON(t *testing.T) {
	const value = "Zoë \x1b\u009b\x7f\u202e\u3164\u00a0\U000e0041<"
	encoded, _ := json.Marshal(value)
	escaped := JSON(append(encoded, '\n'))
	var back string
	if err := json.Unmarshal(escaped, &back); err != nil || back != value || Lines(string(escaped)) != string(escaped) {
		t.Errorf("%v %s", err, escaped)
	}
}
