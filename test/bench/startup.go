package main

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
)

// repeats is how often memory and startup are measured. They vary little.
const repeats = 11

// memory returns the medians of a row's peak memory, in MB, and of its page faults that needed no disk.
func (b *bench) memory(r *row) (peak float64, faults int, err error) {
	var peaks, all []int
	for range repeats {
		if r.before != nil {
			if err := r.before(); err != nil {
				return 0, 0, err
			}
		}
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(b.ctx, b.peak, append([]string{r.program}, r.args...)...)
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, r.stdin(), &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return 0, 0, fmt.Errorf("%w: %s", err, stderr.String())
		}
		var kib int
		if _, err := fmt.Sscan(stderr.String(), &kib, &faults); err != nil {
			return 0, 0, err
		}
		if err := r.check(stdout.Bytes(), ""); err != nil {
			return 0, 0, err
		}
		peaks, all = append(peaks, kib), append(all, faults)
	}
	slices.Sort(peaks)
	slices.Sort(all)
	return float64(peaks[repeats/2]) * 1024 / 1e6, all[repeats/2], nil
}

// A startup is what a process does before main: the initialization of packages.
//
// What is left there are tables and regular expressions of libraries, which Go makes for every program that imports
// them. A quarter of the time is one regular expression of MSAL, for names of regions; the rest are those of crypto,
// net/http, HTTP/2 and unicode, and of cobra, godbus, jwt and go-retryablehttp, some hundredths of a millisecond each.
// The helper's own packages have less than a tenth. A get that ends at once, because its input is empty, has as many
// page faults as one with a cached token: they come from loading the program, not from what get does. Two fifths of
// them are the Go runtime's, as the minimal helper shows.
type startup struct {
	ms            float64
	bytes, allocs int
	slowest       []string // packages, with their times
}

// inits matches the lines that GODEBUG=inittrace=1 prints.
var inits = regexp.MustCompile(`(?m)^init (\S+) @\S+ ms, (\S+) ms clock, (\d+) bytes, (\d+) allocs$`)

// startup returns the sums over all packages. Of each package's times it takes the shortest, because each is a few
// microseconds and the computer may have been busy.
func (b *bench) startup(r *row) (s startup, err error) {
	shortest := map[string]float64{}
	for range repeats {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(b.ctx, r.program, r.args...)
		cmd.Env, cmd.Stdin, cmd.Stderr = append(slices.Clone(r.env), "GODEBUG=inittrace=1"), r.stdin(), &stderr
		if err := cmd.Run(); err != nil {
			return s, err
		}
		s.bytes, s.allocs = 0, 0
		for _, m := range inits.FindAllStringSubmatch(stderr.String(), -1) {
			took, err := strconv.ParseFloat(m[2], 64)
			if err != nil {
				return s, err
			}
			if known, ok := shortest[m[1]]; !ok || took < known {
				shortest[m[1]] = took
			}
			size, _ := strconv.Atoi(m[3])
			allocs, _ := strconv.Atoi(m[4])
			s.bytes, s.allocs = s.bytes+size, s.allocs+allocs
		}
	}
	for _, took := range shortest {
		s.ms += took
	}
	slowestFirst := func(x, y string) int { return cmp.Compare(shortest[y], shortest[x]) }
	packages := slices.SortedFunc(maps.Keys(shortest), slowestFirst)
	for _, p := range packages[:min(5, len(packages))] {
		s.slowest = append(s.slowest, fmt.Sprintf("%s %.2f ms", p, shortest[p]))
	}
	return s, nil
}
