// Bench measures the helper as whole processes, and compares it with a minimal helper (a Go program that reads a
// request and writes JSON) and with helpers of others.
//
//	go run ./test/bench
//
// It builds the program and starts it some hundred times per row against azuretest's fake Azure, in its own home
// directory. The rows take turns, so that a slow moment of the computer affects all of them. Other rows reach the fake
// Azure through relays that make it far, to count round trips. Budgets are printed beside the figures and not enforced;
// the exit status is 1 if a run gives a wrong result. Results are printed, and written to docs/benchmark.md and
// docs/benchmark.svg.
//
// It needs Linux, because only there a built program trusts the fake Azure. The row of the kernel keyring uses the
// helper's usual key, and makes it if there is none; the row of the Secret Service has its own bus and keyring.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// settings are the flags.
type settings struct {
	runs, farRuns, parallel int
	dir                     string
}

func main() {
	var s settings
	flag.IntVar(&s.runs, "n", 200, "runs of each row without delay")
	flag.IntVar(&s.farRuns, "far", 15, "runs of each row with a far cloud")
	flag.IntVar(&s.parallel, "parallel", 100, "processes to start at once")
	flag.StringVar(&s.dir, "o", "docs", "the directory for benchmark.md and benchmark.svg; \"\" writes neither")
	flag.Parse()
	s.runs, s.farRuns, s.parallel = max(s.runs, 1), max(s.farRuns, 1), max(s.parallel, 1)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints and writes results only after all runs gave the right result.
func run(ctx context.Context, s settings) (err error) {
	if runtime.GOOS != "linux" {
		return errors.New("this needs Linux: only there a built program trusts the fake Azure")
	}
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	all, err := b.measureAll(s)
	if err != nil {
		return err
	}
	var report, picture bytes.Buffer
	if err := b.writeReport(&report, all, s.parallel); err != nil {
		return err
	}
	const distance = 100 * time.Millisecond
	err = writeChart(&picture, []chart{
		{"Azure without delay", all.near},
		{fmt.Sprintf("Azure %.0f ms away", ms(distance)), at(all.far, distance)},
	})
	if err != nil {
		return err
	}
	if _, err := os.Stdout.Write(report.Bytes()); err != nil || s.dir == "" {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(s.dir, "benchmark.md"), report.Bytes(), 0o644),
		os.WriteFile(filepath.Join(s.dir, "benchmark.svg"), picture.Bytes(), 0o644),
	)
}

// measureAll measures the near rows in turns, then the far ones.
func (b *bench) measureAll(s settings) (all results, err error) {
	var skipped []string
	if all.near, all.skipped, err = b.rows(); err != nil {
		return all, err
	}
	if all.far, skipped, err = b.farRows(); err != nil {
		return all, err
	}
	all.skipped = append(all.skipped, skipped...)
	err = b.measure(all.near, s.runs)
	return all, errors.Join(err, b.measure(slices.Concat(all.far...), s.farRuns))
}
