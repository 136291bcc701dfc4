package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"
)

// results are everything that was measured.
type results struct {
	near    []*row   // the first is the minimal helper
	far     [][]*row // by distances
	skipped []string // why rows are missing
}

// intro begins the document.
const intro = `# Benchmark

%s wrote this page on %s, on Linux (%s) with %d CPUs, with %s.

The times are medians of whole processes, from start to end. **Azure is a fake one** on the same computer
(%[6]s): it shows what the helper costs and how often it waits for Azure, not how long the real Azure takes to
respond.

![Medians of all rows, on a logarithmic scale](benchmark.svg)
`

// writeReport writes a Markdown document that can be read in a terminal, too. It has medians, because the slowest runs
// depend on the computer and not on the program, and p90, which shows how busy the computer was.
func (b *bench) writeReport(out io.Writer, all results, parallel int) error {
	fmt.Fprintf(out, intro, "`make bench`", time.Now().UTC().Format(time.DateOnly), runtime.GOARCH, runtime.NumCPU(),
		runtime.Version(), "`test/azuretest`")
	writeNear(out, all.near)
	for _, s := range all.skipped {
		fmt.Fprintf(out, "\n%s%s.\n", strings.ToUpper(s[:1]), s[1:])
	}
	writeEntries(out, all.near)
	writeFar(out, all.far)
	return errors.Join(b.writeMemory(out, all.near), b.writeParallel(out, parallel), b.writeStartup(out, all.near[:2]))
}

// writeTable writes a Markdown table; the first row is the header.
func writeTable(out io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	for i, cells := range rows {
		fmt.Fprintf(t, "| %s\t|\n", strings.Join(cells, "\t| "))
		if i == 0 {
			fmt.Fprintln(t, strings.Repeat("|---\t", len(cells))+"|")
		}
	}
	t.Flush()
}

// writeNear compares with the minimal helper.
func writeNear(out io.Writer, rows []*row) {
	fmt.Fprintf(out, `
## Azure without delay

%d runs of each row, in turns. The minimal helper is a Go program that reads a request and writes JSON: no helper in Go
is faster.

`, len(rows[0].times))
	table := [][]string{{"", "median", "p90", "× minimal", "budget"}}
	for _, r := range rows {
		median := r.percentile(0.5)
		ratio := float64(median) / float64(rows[0].percentile(0.5))
		table = append(table, []string{
			r.name, duration(median), duration(r.percentile(0.9)), fmt.Sprintf("%.2f", ratio), budget(ratio, r.budget, "%.1f"),
		})
	}
	writeTable(out, table)
}

// writeEntries compares vaults with many entries with one that has a single entry.
func writeEntries(out io.Writer, rows []*row) {
	fmt.Fprint(out, "\n## Many stored entries\n\nA cached get, with the key in a file.\n\n")
	table := [][]string{{"entries in the vault", "median", "× one entry", "budget"}}
	var single time.Duration
	for _, r := range rows {
		if r.entries == 0 {
			continue
		}
		limit, median := 1.1, r.percentile(0.5)
		if r.entries == 1 {
			limit, single = 0, median
		}
		ratio := float64(median) / float64(single)
		table = append(table, []string{
			thousands(r.entries), duration(median), fmt.Sprintf("%.2f", ratio), budget(ratio, limit, "%.1f"),
		})
	}
	writeTable(out, table)
}

// writeFar counts round trips.
func writeFar(out io.Writer, rows [][]*row) {
	fmt.Fprintf(out, `
## Azure far away

%d runs of each row, with the key in a file. Every server of Azure is the same round-trip time away; the table divides
the time by it. A new connection with its first request takes three round trips (TCP, TLS, request), another request on
it one. The rest is the time of the computer, which is why a near cloud counts as more round trips than a far one. Names
are resolved without delay. The managed identity's endpoint is local. Azure CLI is a fake one that takes no time; the
real one takes 0.5 to 3 s.

`, len(rows[0][0].times))
	header := []string{""}
	for _, rtt := range distances {
		header = append(header, fmt.Sprintf("%d ms", rtt.Milliseconds()))
	}
	table := [][]string{append(header, "requests", "budget")}
	last := len(distances) - 1
	for i, r := range rows[last] {
		cells := []string{r.name}
		for d, rtt := range distances {
			r := rows[d][i]
			cells = append(cells, fmt.Sprintf("%.1f (%.0f ms)", r.roundTrips(rtt), ms(r.percentile(0.5))))
		}
		limits := budget(r.roundTrips(distances[last]), r.budget, "%.1f at 200 ms")
		if r.requestBudget > 0 {
			limits += "; requests " + budget(float64(r.sent), r.requestBudget, "%.0f")
		}
		table = append(table, append(cells, r.requests, limits))
	}
	writeTable(out, table)
}

// writeMemory measures the size of the program, and memory.
func (b *bench) writeMemory(out io.Writer, rows []*row) error {
	fmt.Fprint(out, "\n## Size and memory\n\n")
	info, err := os.Stat(b.helper)
	if err != nil {
		return err
	}
	// Most of the size is net/http, TLS and MSAL.
	size := float64(info.Size()) / 1e6
	table := [][]string{
		{"", "measured", "budget", "page faults"},
		{"program, stripped", fmt.Sprintf("%.1f MB", size), budget(size, 11, "%.0f MB"), ""},
	}
	for _, r := range rows {
		if r.memory == 0 && r != rows[0] {
			continue
		}
		peak, faults, err := b.memory(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		table = append(table, []string{
			"peak memory, " + r.name, fmt.Sprintf("%.1f MB", peak), budget(peak, r.memory, "%.0f MB"), fmt.Sprint(faults),
		})
	}
	writeTable(out, table)
	return nil
}

// writeParallel counts the requests of processes that start at once.
func (b *bench) writeParallel(out io.Writer, parallel int) error {
	fmt.Fprint(out, "\n## Many at once\n\nCold gets that also make the key, in a file.\n\n")
	table := [][]string{{"gets at once", "requests", "budget", "in all"}}
	for _, n := range []int{1, parallel} {
		many, err := b.getInParallel(n)
		if err != nil {
			return fmt.Errorf("%d cold gets at once: %w", n, err)
		}
		limit := budget(float64(many.most), 1, "%.0f of each")
		table = append(table, []string{fmt.Sprint(n), many.requests, limit, duration(many.took)})
	}
	writeTable(out, table)
	return nil
}

// writeStartup shows what happens before main.
func (b *bench) writeStartup(out io.Writer, rows []*row) error {
	fmt.Fprint(out, "\n## Startup\n\nWhat packages do before `main` begins, as `GODEBUG=inittrace=1` shows it.\n\n")
	table, slowest := [][]string{{"", "time", "allocations", "allocated"}}, ""
	for _, r := range rows {
		s, err := b.startup(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		table = append(table, []string{
			r.name, fmt.Sprintf("%.2f ms", s.ms), fmt.Sprint(s.allocs), fmt.Sprintf("%.0f kB", float64(s.bytes)/1e3),
		})
		slowest = strings.Join(s.slowest, "\n- ")
	}
	writeTable(out, table)
	fmt.Fprintf(out, "\nThe slowest packages of the helper:\n\n- %s\n", slowest)
	return nil
}

// thousands formats a number with a separator.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

// duration formats a time with two digits or more.
func duration(d time.Duration) string {
	if ms(d) < 10 {
		return fmt.Sprintf("%.1f ms", ms(d))
	}
	return fmt.Sprintf("%.0f ms", ms(d))
}

// budget formats a limit, and whether a value exceeds it.
func budget(value, limit float64, format string) string {
	switch {
	case limit == 0:
		return ""
	case value > limit:
		return "**OVER** " + fmt.Sprintf(format, limit)
	}
	return "≤ " + fmt.Sprintf(format, limit)
}
