// Package screen lays out what commands print for users: columns and paragraphs as wide
// as the terminal, with symbols and colours. In a pipe, lines have any length and neither.
package screen

import (
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// A Screen is what results are printed to. The zero value is a pipe.
type Screen struct {
	// Width is the number of columns of the terminal; 0 is a pipe, where nothing is
	// wrapped.
	Width int
	// Color allows colours and symbols.
	Color bool
}

// Symbols before a line. Words say the same, for those who can't see the symbol.
const (
	OK      = "✓"
	Warning = "!"
	Problem = "✗"
	Nothing = "-"
)

// Mark returns a symbol and a space; "" where there are no symbols. Paint colours it.
func (s Screen) Mark(symbol string) string {
	if !s.Color {
		return ""
	}
	return symbol + " "
}

// symbols finds symbols at the beginning of a line or a cell. Like the other expressions it
// is compiled when it is first used, because what clients run must start fast.
var symbols = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)(^|  )([✓!✗]) `) })

var escapes = map[string]string{OK: "\x1b[32m", Warning: "\x1b[33m", Problem: "\x1b[31m"}

const reset = "\x1b[0m"

// Paint colours the symbols of a text that is laid out.
func (s Screen) Paint(text string) string {
	if !s.Color {
		return text
	}
	return symbols().ReplaceAllStringFunc(text, func(found string) string {
		symbol := strings.TrimSpace(found)
		return strings.Replace(found, symbol, escapes[symbol]+symbol+reset, 1)
	})
}

var changedLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?m)^[-+].*$`) })

// Diff colours the lines of a unified diff.
func (s Screen) Diff(diff string) string {
	if !s.Color {
		return diff
	}
	return changedLine().ReplaceAllStringFunc(diff, func(line string) string {
		if line[0] == '-' {
			return escapes[Problem] + line + reset
		}
		return escapes[OK] + line + reset
	})
}

// Wrap breaks text between words, so that it fits on the screen if all its lines begin
// after indent columns. The first is not indented.
func (s Screen) Wrap(indent int, text string) string {
	if !s.IsTerminal() {
		return text
	}
	text = command().ReplaceAllStringFunc(text, func(found string) string {
		parts := command().FindStringSubmatch(found)
		return parts[1] + strings.ReplaceAll(parts[2], " ", glue) + parts[3]
	})
	wrapped := strings.Join(wrap(text, s.Width-indent), "\n"+strings.Repeat(" ", indent))
	return strings.ReplaceAll(wrapped, glue, " ")
}

// command finds a command in advice. It should stay on one line, because half of it may be
// a command, too, for the user who copies it.
var command = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(\b[Rr]un: )([^(;]*?[^ .(;])(\. | \(|;|$)`)
})

// glue takes the place of spaces between which text is broken only if there are no others.
const glue = "\u00a0"

// wrap breaks text between words, and a word that is longer than a line.
func wrap(text string, width int) (lines []string) {
	width = max(width, 1)
	for utf8.RuneCountInString(text) > width {
		line := string([]rune(text)[:width+1])
		end := strings.LastIndex(line, " ")
		if end <= 0 {
			end = strings.LastIndex(line, glue)
		}
		if end <= 0 {
			end = len(string([]rune(text)[:width]))
		}
		lines = append(lines, strings.TrimRight(text[:end], " "))
		text = strings.TrimLeft(text[end:], " "+glue)
	}
	return append(lines, text)
}

// IsTerminal reports whether a user reads this, and not another program.
func (s Screen) IsTerminal() bool { return s.Width > 0 }

// gap is the number of spaces between columns.
const gap = 2

// Fits reports whether a table's rows fit on the screen without wrapping.
func (s Screen) Fits(rows [][]string) bool {
	return !s.IsTerminal() || total(s.columns(rows)) <= s.Width
}

// Table lays out rows in columns. On a terminal the cells of the widest columns are
// wrapped until all fit, between words if that is enough. In a pipe a row is a line, whose
// last cell may be longer than its column. Cells are shown as text.Line returns them.
func (s Screen) Table(table [][]string) string {
	var rows [][]string
	for _, cells := range table {
		row := slices.Clone(cells)
		for j := range row {
			row[j] = text.Line(row[j])
		}
		rows = append(rows, row)
	}
	widths := s.columns(rows)
	if s.IsTerminal() {
		words := make([][]string, len(rows))
		for i, row := range rows {
			for _, cell := range row {
				words[i] = append(words[i], slices.MaxFunc(append(strings.Fields(cell), ""), byLength))
			}
		}
		shrink(widths, s.columns(words), s.Width)
		shrink(widths, make([]int, len(widths)), s.Width)
	}
	var b strings.Builder
	for _, row := range rows {
		cells, height := make([][]string, len(row)), 1
		for j, cell := range row {
			cells[j] = []string{cell}
			if s.IsTerminal() {
				cells[j] = wrap(cell, widths[j])
			}
			height = max(height, len(cells[j]))
		}
		for i := range height {
			line := ""
			for j, lines := range cells {
				cell := ""
				if i < len(lines) {
					cell = lines[i]
				}
				line += cell + strings.Repeat(" ", max(widths[j]-utf8.RuneCountInString(cell), 0)+gap)
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
		}
	}
	return b.String()
}

// byLength compares texts by their width.
func byLength(a, b string) int { return utf8.RuneCountInString(a) - utf8.RuneCountInString(b) }

// shrink makes columns narrower, the widest first, until a line fits, but none narrower
// than least.
func shrink(widths, least []int, line int) {
	for total(widths) > line {
		widest := -1
		for i, w := range widths {
			if w > max(least[i], 1) && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		widths[widest]--
	}
}

// columns returns the width of each column.
func (s Screen) columns(rows [][]string) (widths []int) {
	for _, row := range rows {
		for j, cell := range row {
			if j == len(widths) {
				widths = append(widths, 0)
			}
			if s.IsTerminal() || j < len(row)-1 {
				widths[j] = max(widths[j], utf8.RuneCountInString(cell))
			}
		}
	}
	return widths
}

// total is the width of a line with all columns.
func total(widths []int) int {
	sum := gap * (len(widths) - 1)
	for _, w := range widths {
		sum += w
	}
	return sum
}

var guid = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b([0-9a-f]{4})[0-9a-f]{4}-([0-9a-f]{4}-){3}[0-9a-f]{8}([0-9a-f]{4})\b`)
})

// Shorten leaves out the middle of the GUIDs in a text.
func Shorten(text string) string { return guid().ReplaceAllString(text, "$1…$3") }
