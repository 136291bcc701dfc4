// Bench measures the helper as whole processes, and compares it with a minimal helper: a Go program that reads a
// request and writes JSON.
//
//	go run ./test/bench
//
// It builds the program and starts it some hundred times per row against azuretest's fake Azure, in its own home
// directory. The rows take turns, so that a slow moment of the computer affects all of them. Budgets are printed beside
// the times and not enforced; the exit status is 1 if a run gives a wrong result.
//
// It needs Linux, because only there a built program trusts the fake Azure. The row of the kernel keyring uses the
// helper's usual key, and makes it if there is none; the row of the Secret Service has its own bus and keyring.
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
	parallel := flag.Int("parallel", 100, "processes to start at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, max(*runs, 1), max(*parallel, 1)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints times only after all runs gave the right result.
func run(ctx context.Context, out io.Writer, runs, parallel int) (err error) {
	if runtime.GOOS != "linux" {
		return errors.New("this needs Linux: only there a built program trusts the fake Azure")
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
	fmt.Fprintf(out, "%d runs of each row, in turns; %d CPUs, %s\n\n", runs, runtime.NumCPU(), runtime.Version())
	printTimes(out, rows)
	for _, s := range skipped {
		fmt.Fprintln(out, s)
	}
	fmt.Fprintln(out)
	return b.printSizes(out, rows, parallel)
}

// printTimes prints a line for each row; the first is the minimal helper. It prints medians, because the slowest runs
// depend on the computer and not on the program, and p90, which shows how busy the computer was.
func printTimes(out io.Writer, rows []*row) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "median ms\tp90 ms\t× minimal\tbudget\t")
	minimal := rows[0].percentile(0.5)
	for _, r := range rows {
		median := r.percentile(0.5)
		ratio := float64(median) / float64(minimal)
		fmt.Fprintf(t, "%.2f\t%.2f\t%.2f\t%s\t  %s\n",
			ms(median), ms(r.percentile(0.9)), ratio, budget(ratio, r.budget, "%.1f"), r.name)
	}
	t.Flush()
}

// printSizes measures and prints size, memory and requests.
func (b *bench) printSizes(out io.Writer, rows []*row, parallel int) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "measured\tbudget\t")
	info, err := os.Stat(b.helper)
	if err != nil {
		return err
	}
	// The budget is older than the commands for users (doctor, configure, status, …), which exceed it by 0.7 MB. Most
	// of the size is net/http, TLS and MSAL, which are needed without them, too.
	size := float64(info.Size()) / 1e6
	fmt.Fprintf(t, "%.1f MB\t%s\t  binary, stripped\n", size, budget(size, 11, "%.0f MB"))
	for _, r := range rows {
		if r.memory == 0 && r != rows[0] {
			continue
		}
		peak, err := b.peakMemory(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
		fmt.Fprintf(t, "%.1f MB\t%s\t  peak memory, %s\n", peak, budget(peak, r.memory, "%.0f MB"), r.name)
	}
	single, err := b.getInParallel(1)
	if err != nil {
		return fmt.Errorf("an uncached get: %w", err)
	}
	fmt.Fprintf(t, "%.0f ms\t\t  an uncached get that also makes the key; requests: %s\n",
		ms(single.took), single.requests)
	many, err := b.getInParallel(parallel)
	if err != nil {
		return fmt.Errorf("%d uncached gets at once: %w", parallel, err)
	}
	fmt.Fprintf(t, "%d exchange\t%s\t  %d uncached gets at once, %.0f ms in all; requests: %s\n",
		many.exchanges, budget(float64(many.exchanges), 1, "%.0f"), parallel, ms(many.took), many.requests)
	return t.Flush()
}

// budget formats a limit, and whether a value exceeds it.
func budget(value, limit float64, format string) string {
	switch {
	case limit == 0:
		return ""
	case value > limit:
		return "OVER " + fmt.Sprintf(format, limit)
	}
	return "≤ " + fmt.Sprintf(format, limit)
}
