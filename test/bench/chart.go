package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"time"
)

// A chart is a group of bars with a title.
type chart struct {
	title string
	rows  []*row
}

// The chart's measures, in its own units: bars begin at left and 1 ms, and each factor of ten adds decade.
const (
	left, decade, decades = 270, 120, 3.4
	lineHeight            = 22
)

// style makes the picture readable on light and dark pages: it has a background of its own.
const style = `<style>
  svg { color: #1f2328; --paper: #ffffff; --ours: #0969da; --theirs: #8c959f; font: 13px system-ui, sans-serif }
  @media (prefers-color-scheme: dark) { svg { color: #e6edf3; --paper: #0d1117; --ours: #4493f8; --theirs: #6e7681 } }
  text { fill: currentColor } .title { font-weight: 600 } .end { text-anchor: end } .middle { text-anchor: middle }
  .paper { fill: var(--paper) } .ours { fill: var(--ours) } .theirs { fill: var(--theirs) }
  .grid { stroke: currentColor; opacity: 0.2 }
</style>
`

// x returns where a time is on the logarithmic scale. What is shorter than 1 ms is at its beginning.
func x(d time.Duration) float64 { return left + decade*math.Log10(max(ms(d), 1)) }

// writeChart writes horizontal bars of the rows' medians as SVG.
func writeChart(out io.Writer, charts []chart) error {
	var bars strings.Builder
	y := lineHeight
	for _, c := range charts {
		fmt.Fprintf(&bars, `<text class="title" x="12" y="%d">%s</text>`+"\n", y, escape(c.title))
		for _, r := range c.rows {
			y += lineHeight
			writeBar(&bars, r, y)
		}
		y += lineHeight * 3 / 2
	}
	width, height := left+int(decade*decades)+70, y+lineHeight/2
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img">
<title>Medians of whole processes, on a logarithmic scale</title>
%s<rect class="paper" width="%[1]d" height="%[2]d"/>
`, width, height, style)
	for d := time.Millisecond; d <= time.Second; d *= 10 {
		fmt.Fprintf(out, `<line class="grid" x1="%.1f" x2="%[1]f" y1="%d" y2="%d"/>`+"\n", x(d), lineHeight/2, y-16)
		fmt.Fprintf(out, `<text class="middle" x="%.1f" y="%d">%.0f ms</text>`+"\n", x(d), y, ms(d))
	}
	_, err := fmt.Fprint(out, bars.String(), "</svg>\n")
	return err
}

// writeBar writes a row's name, bar and median.
func writeBar(out io.Writer, r *row, y int) {
	class := "ours"
	if r.theirs {
		class = "theirs"
	}
	median := r.percentile(0.5)
	fmt.Fprintf(out, `<text class="end" x="%d" y="%d">%s</text>`+"\n", left-8, y, escape(r.name))
	fmt.Fprintf(out, `<rect class="%s" x="%d" y="%d" width="%.1f" height="14" rx="2"/>`+"\n",
		class, left, y-11, x(median)-left)
	fmt.Fprintf(out, `<text x="%.1f" y="%d">%s</text>`+"\n", x(median)+6, y, duration(median))
}

// escape makes text fit for XML.
func escape(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text))
	return out.String()
}
