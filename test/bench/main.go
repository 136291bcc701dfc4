// Bench measures the helper as whole processes, beside a floor: a Go program that
// reads a request and echoes JSON.
//
//	go run ./test/bench
//
// It builds the shipped program and starts it some hundred times per row against
// package azuretest's cloud, in a scratch home, in turns with the floor, so that
// what slows the machine down slows both down. It judges no time: budgets are
// printed beside the figures. The exit status is 1 when a run doesn't answer as
// it should.
//
// Linux only: elsewhere the program can't be made to trust the sandbox. The row
// of the kernel keyring uses the key that the helper always uses there, and
// makes it where there is none; the row of the Secret Service has a bus and a
// keyring of its own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"text/tabwriter"
)

func main() {
	runs := flag.Int("n", 200, "runs of each row")
	crowd := flag.Int("crowd", 100, "processes to start at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, max(*runs, 1), max(*crowd, 1)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints times only after all runs have answered as they should: a fast wrong
// answer is worth nothing.
func run(ctx context.Context, out io.Writer, runs, crowd int) (err error) {
	if runtime.GOOS != "linux" {
		return errors.New("this needs Linux: only there the shipped program can be told to trust the sandbox")
	}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	rows, skipped, err := b.rows()
	if err != nil {
		return err
	}
	if err := b.measure(rows, runs); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d runs of each, in turns; %d CPUs, %s\n\n", runs, runtime.NumCPU(), runtime.Version())
	printTimes(out, rows)
	for _, s := range skipped {
		fmt.Fprintln(out, s)
	}
	fmt.Fprintln(out)
	return b.printFacts(out, rows, crowd)
}

// printTimes prints a line a row; the first is the floor. Medians, because the
// slowest runs tell about the machine and not about the program; p90 shows how
// quiet the machine was.
func printTimes(out io.Writer, rows []*row) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "median ms\tp90 ms\t× floor\tbudget\t")
	floor := rows[0].at(0.5)
	for _, r := range rows {
		ratio := float64(r.at(0.5)) / float64(floor)
		fmt.Fprintf(t, "%.2f\t%.2f\t%.2f\t%s\t  %s\n", ms(r.at(0.5)), ms(r.at(0.9)), ratio, budget(ratio, r.budget, "%.1f"), r.name)
	}
	t.Flush()
}

// printFacts measures and prints what is no time: requests, a crowd, memory, size.
func (b *bench) printFacts(out io.Writer, rows []*row, crowd int) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "measured\tbudget\t")
	info, err := os.Stat(b.helper)
	if err != nil {
		return err
	}
	// The budget was set before there were commands for people; with them (doctor,
	// configure, status, …) the program is 0.7 MB above it. What fills it is net/http,
	// TLS and MSAL, which none of them could do without.
	size := float64(info.Size()) / 1e6
	fmt.Fprintf(t, "%.1f MB\t%s\t  binary, stripped\n", size, budget(size, 10, "%.0f MB"))
	for _, r := range rows {
		if r.memory == 0 && r != rows[0] {
			continue
		}
		peak, err := b.peak(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Fprintf(t, "%.1f MB\t%s\t  peak memory, %s\n", peak, budget(peak, r.memory, "%.0f MB"), r.name)
	}
	single, err := b.crowd(1)
	if err != nil {
		return fmt.Errorf("a cold get: %w", err)
	}
	fmt.Fprintf(t, "%.0f ms\t\t  a cold get that also makes the key; requests: %s\n", ms(single.took), single.requests)
	many, err := b.crowd(crowd)
	if err != nil {
		return fmt.Errorf("%d cold gets at once: %w", crowd, err)
	}
	fmt.Fprintf(t, "%d exchange\t%s\t  %d cold gets at once, %.0f ms in all; requests: %s\n",
		many.exchanges, budget(float64(many.exchanges), 1, "%.0f"), crowd, ms(many.took), many.requests)
	return t.Flush()
}

// budget words a limit, and says so where it is exceeded.
func budget(value, limit float64, format string) string {
	switch {
	case limit == 0:
		return ""
	case value > limit:
		return "OVER " + fmt.Sprintf(format, limit)
	}
	return "≤ " + fmt.Sprintf(format, limit)
}
