package text

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Line makes text fit to be shown on one line of a terminal: white space becomes a space,
// and every other character that can't be printed or seen (control characters, marks of
// direction, zero width, fillers) a question mark. Everything that comes from outside the
// program goes through it before it is printed; see package cmdutil.
func Line(s string) string { return strings.Map(visible, s) }

// Lines is Line for several lines: line breaks and tabs stay.
func Lines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return visible(r)
	}, s)
}

// visible returns what is shown for a character.
func visible(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsPrint(r), unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector),
		r == '\u2800': // a blank
		return '?'
	}
	return r
}

// JSON escapes in encoded JSON what Lines would replace. Its meaning stays the same.
func JSON(encoded []byte) []byte {
	escaped := make([]byte, 0, len(encoded))
	for _, r := range string(encoded) {
		if r == '\n' || visible(r) == r {
			escaped = utf8.AppendRune(escaped, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			escaped = fmt.Appendf(escaped, `\u%04x`, unit)
		}
	}
	return escaped
}

// A Writer writes each text as Lines returns it.
type Writer struct{ Out io.Writer }

// Write implements io.Writer.
func (w Writer) Write(p []byte) (int, error) {
	_, err := io.WriteString(w.Out, Lines(string(p)))
	return len(p), err
}
