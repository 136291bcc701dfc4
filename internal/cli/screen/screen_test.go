package screen

import (
	"strings"
	"testing"
	"unicode/utf8"
)

const id = "7d1c0000-0000-4000-8000-00000000abcd"

func TestScreen_Wrap(t *testing.T) {
	for _, test := range []struct {
		width, indent int
		text, want    string
	}{
		{0, 4, "in a pipe nothing is wrapped", "in a pipe nothing is wrapped"},
		{20, 4, "one two three four five", "one two three\n    four five"},
		{20, 4, "0123456789012345678 x", "0123456789012345\n    678 x"},
		{20, 4, "exactly sixteen.", "exactly sixteen."},
		{1, 4, "ab", "a\n    b"},
		{20, 0, "", ""},
		{20, 0, "To do it, run: a bc d (or e)", "To do it, run:\na bc d (or e)"},
		{20, 0, "Run: a. Or run: b c d e f", "Run: a. Or run:\nb c d e f"},
		{10, 0, "Run: command with words", "Run:\ncommand\nwith words"},
	} {
		if got := (Screen{Width: test.width}).Wrap(test.indent, test.text); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func TestScreen_Table(t *testing.T) {
	rows := [][]string{{"A", "B", "C"}, {"contoso.azurecr.io", "a", "one two three"}, {"x", "an error, which is long"}}
	const pipe = "A                   B  C\n" +
		"contoso.azurecr.io  a  one two three\n" +
		"x                   an error, which is long\n"
	if got := (Screen{}).Table(rows); got != pipe {
		t.Errorf("pipe:\n%s", got)
	}
	for width := 8; width < 60; width++ {
		s := Screen{Width: width}
		got := s.Table(rows)
		for line := range strings.Lines(got) {
			if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("%d columns, not %s", width, line)
			}
		}
		if s.Fits(rows) != (strings.Count(got, "\n") == len(rows)) {
			t.Errorf("%d columns: Fits is %v:\n%s", width, s.Fits(rows), got)
		}
	}
}

func TestScreen_Paint(t *testing.T) {
	const text = "✓ done  ! odd\nwow! no"
	if got := (Screen{Width: 80}).Paint(text); got != text {
		t.Errorf("without colours: %q", got)
	}
	const want = "\x1b[32m✓\x1b[0m done  \x1b[33m!\x1b[0m odd\nwow! no"
	if got := (Screen{Width: 80, Color: true}).Paint(text); got != want {
		t.Errorf("%q", got)
	}
	if got := (Screen{Color: true}).Diff(" a\n-b\n+c\n"); got != " a\n\x1b[31m-b\x1b[0m\n\x1b[32m+c\x1b[0m\n" {
		t.Errorf("%q", got)
	}
}

func TestShorten(t *testing.T) {
	if got := Shorten(id + " of " + strings.ToUpper(id) + "!"); got != "7d1c…abcd of 7D1C…ABCD!" {
		t.Error(got)
	}
	if got := Shorten("no-guid-7d1c0000"); got != "no-guid-7d1c0000" {
		t.Error(got)
	}
}
