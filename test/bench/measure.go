package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// A row is one thing to measure.
type row struct {
	name    string
	program string
	args    []string
	env     []string
	user    string  // whom a right answer names
	before  func()  // makes the next run a cold one; not measured
	budget  float64 // times the floor; 0 for none
	memory  float64 // MB; 0 for none
	times   []time.Duration
}

// at is a percentile of the measured times; sorting is cheap beside measuring.
func (r *row) at(part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(r.times))
	return sorted[int(part*float64(len(sorted)-1))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// errUnmeasurable says why a row can't be measured here, which is no failure.
var errUnmeasurable = errors.New("not measured")

// rows prepares every row that can be measured here, the floor first, and says of
// the others why they can't.
func (b *bench) rows() (rows []*row, skipped []string, err error) {
	add := func(r *row, problem error) {
		switch {
		case errors.Is(problem, errUnmeasurable):
			skipped = append(skipped, problem.Error())
		case problem != nil:
			err = errors.Join(err, problem)
		default:
			rows = append(rows, r)
		}
	}
	add(&row{name: "floor", program: b.floor, user: "user", env: b.env(b.dir, "none")}, nil)
	add(b.cached("kernel", "kernel keyring", 2.2))
	if bus, problem := b.secretService(); problem != nil {
		add(nil, fmt.Errorf("%w: get, cached, Secret Service: %w", errUnmeasurable, problem))
	} else {
		add(b.cached("os", "Secret Service", 4, bus))
		add(b.debian(bus))
	}
	add(b.cached("file", "key file", 0))
	add(b.cold())
	return rows, skipped, err
}

// cached fills a vault and makes sure that the next get is answered from it.
func (b *bench) cached(keyring, title string, budget float64, extra ...string) (*row, error) {
	home, err := b.newHome(keyring)
	if err != nil {
		return nil, err
	}
	r := &row{
		name: "get, cached, " + title, program: b.helper, args: []string{"get"}, env: b.env(home, keyring, extra...),
		user: nullGUID, budget: budget, memory: 10,
	}
	for range 50 { // a keyring daemon that was just started needs a moment
		b.cloud.Reset()
		if _, err := b.once(r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		if len(b.cloud.Requests()) == 0 {
			return r, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("%w: %s: every get asks Azure, so this keyring can't be used here", errUnmeasurable, r.name)
}

// cold misses every time, because its tokens are deleted before. Its key lies in
// a file, the cheapest home, so that Azure's part shows.
func (b *bench) cold() (*row, error) {
	home, err := b.newHome("cold")
	r := &row{name: "get, cold (sign in, exchange)", program: b.helper, args: []string{"get"}, env: b.env(home, "file"), user: nullGUID, memory: 20}
	r.before = func() {
		tokens, _ := filepath.Glob(filepath.Join(home, "acr", "vault", "*", "*.token"))
		for _, t := range tokens {
			_ = os.Remove(t)
		}
	}
	return r, err
}

// measure runs all rows in turns, and checks that cold gets, and only they, ask
// the cloud.
func (b *bench) measure(rows []*row, runs int) error {
	for range runs {
		for _, r := range rows {
			exchanges := 0
			if r.before != nil {
				r.before()
				exchanges = 1
			}
			b.cloud.Reset()
			took, err := b.once(r)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			if seen := b.cloud.Seen(azuretest.KindExchange); seen != exchanges {
				return fmt.Errorf("%s: %d exchanges, want %d", r.name, seen, exchanges)
			}
			r.times = append(r.times, took)
		}
	}
	return nil
}

// once starts a row's process, as a client would, and checks its answer. The time
// is that of the whole process, from before its start to after its end, since
// that is what a pull waits for.
func (b *bench) once(r *row) (time.Duration, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(b.ctx, r.program, r.args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, strings.NewReader(host), &stdout, &stderr
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began)
	return took, errors.Join(err, r.check(stdout.Bytes(), stderr.String()))
}

const nullGUID = "00000000-0000-0000-0000-000000000000"

// check never repeats an answer, which may be right but for its user.
func (r *row) check(stdout []byte, stderr string) error {
	var answer struct{ Username, Secret string }
	switch err := json.Unmarshal(stdout, &answer); {
	case stderr != "":
		return fmt.Errorf("said on stderr: %s", stderr)
	case err != nil:
		return errors.New("answered no JSON")
	case answer.Username != r.user || answer.Secret == "":
		return fmt.Errorf("answered for the user %q, want %q", answer.Username, r.user)
	}
	return nil
}

// peak is the median of a row's greatest memory, in MB.
func (b *bench) peak(r *row) (float64, error) {
	var found []float64
	for range 11 {
		if r.before != nil {
			r.before()
		}
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(b.ctx, b.scales, append([]string{r.program}, r.args...)...)
		cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, strings.NewReader(host), &stdout, &stderr
		if err := cmd.Run(); err != nil {
			return 0, fmt.Errorf("%w: %s", err, stderr.String())
		}
		kib, err := strconv.Atoi(strings.TrimSpace(stderr.String()))
		if err := errors.Join(err, r.check(stdout.Bytes(), "")); err != nil {
			return 0, err
		}
		found = append(found, float64(kib)*1024/1e6)
	}
	slices.Sort(found)
	return found[len(found)/2], nil
}

// A gathering is what a number of gets at once came to.
type gathering struct {
	took      time.Duration
	exchanges int
	requests  string
}

// crowd starts processes at once in an empty home, as a build of many images on a
// new agent does: there is no key yet, either.
func (b *bench) crowd(size int) (g gathering, err error) {
	home, err := b.newHome("crowd")
	if err != nil {
		return g, err
	}
	r := &row{program: b.helper, args: []string{"get"}, env: b.env(home, "file"), user: nullGUID}
	errs := make([]error, size)
	b.cloud.Reset()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range size {
		wg.Go(func() { _, errs[i] = b.once(r) })
	}
	wg.Wait()
	return gathering{time.Since(began), b.cloud.Seen(azuretest.KindExchange), b.requests()}, errors.Join(errs...)
}
