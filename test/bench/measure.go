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

// A row is a program to measure.
type row struct {
	name    string
	program string
	args    []string
	env     []string
	user    string  // the user in the right output
	before  func()  // runs before each run, and is not measured; nil for none
	budget  float64 // times the minimal helper; 0 for none
	memory  float64 // budget in MB; 0 for none
	times   []time.Duration
}

func (r *row) percentile(part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(r.times))
	return sorted[int(part*float64(len(sorted)-1))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// errSkipped is the error for a row that can't be measured on this computer.
var errSkipped = errors.New("not measured")

// rows returns the rows to measure, the minimal helper first, and why others are skipped.
func (b *bench) rows() (rows []*row, skipped []string, err error) {
	add := func(r *row, problem error) {
		switch {
		case errors.Is(problem, errSkipped):
			skipped = append(skipped, problem.Error())
		case problem != nil:
			err = errors.Join(err, problem)
		default:
			rows = append(rows, r)
		}
	}
	add(&row{name: "minimal helper", program: b.minimal, user: "user", env: b.env(b.dir, "none")}, nil)
	add(b.cached("kernel", "kernel keyring", 2.0))
	if bus, problem := b.startSecretService(); problem != nil {
		add(nil, fmt.Errorf("%w: get, cached, Secret Service: %w", errSkipped, problem))
	} else {
		add(b.cached("os", "Secret Service", 3.2, bus))
		add(b.dockerHelper(bus))
	}
	add(b.cached("file", "key file", 0))
	add(b.uncached())
	return rows, skipped, err
}

// cached returns the row of a get with a cached token, which it makes first.
func (b *bench) cached(keyring, title string, budget float64, extra ...string) (*row, error) {
	home, err := b.newHome(keyring)
	if err != nil {
		return nil, err
	}
	r := &row{
		name: "get, cached, " + title, program: b.helper, args: []string{"get"}, env: b.env(home, keyring, extra...),
		user: nullGUID, budget: budget, memory: 10,
	}
	for range 50 { // gnome-keyring needs a moment after its start
		b.cloud.Reset()
		if _, err := b.run(r); err != nil {
			return nil, fmt.Errorf("%s: %w", r.name, err)
		}
		if len(b.cloud.Requests()) == 0 {
			return r, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return nil, fmt.Errorf("%w: %s: this keyring can't be used on this computer", errSkipped, r.name)
}

// uncached returns the row of a get without a cached token: before each run the token is deleted. The key is in a file,
// the fastest keyring, so that most of the time is that of the requests.
func (b *bench) uncached() (*row, error) {
	home, err := b.newHome("uncached")
	r := &row{
		name: "get, uncached (sign in, exchange)", program: b.helper, args: []string{"get"}, env: b.env(home, "file"),
		user: nullGUID, memory: 16,
	}
	r.before = func() {
		tokens, _ := filepath.Glob(filepath.Join(home, "acr", "vault", "*", "*.token"))
		for _, t := range tokens {
			_ = os.Remove(t)
		}
	}
	return r, err
}

// measure runs all rows in turns, and checks that only uncached gets send requests.
func (b *bench) measure(rows []*row, runs int) error {
	for range runs {
		for _, r := range rows {
			exchanges := 0
			if r.before != nil {
				r.before()
				exchanges = 1
			}
			b.cloud.Reset()
			took, err := b.run(r)
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

// run runs a row's process and checks its output. The time is that of the whole process, which is what a pull waits
// for.
func (b *bench) run(r *row) (time.Duration, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(b.ctx, r.program, r.args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, strings.NewReader(host), &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	return took, errors.Join(err, r.check(stdout.Bytes(), stderr.String()))
}

const nullGUID = "00000000-0000-0000-0000-000000000000"

// check checks the output. Its error doesn't quote the output, which may have a secret.
func (r *row) check(stdout []byte, stderr string) error {
	var credential struct{ Username, Secret string }
	switch err := json.Unmarshal(stdout, &credential); {
	case stderr != "":
		return fmt.Errorf("printed to stderr: %s", stderr)
	case err != nil:
		return errors.New("printed no JSON")
	case credential.Username != r.user || credential.Secret == "":
		return fmt.Errorf("returned the user %q, want %q", credential.Username, r.user)
	}
	return nil
}

// peakMemory returns the median of a row's peak memory, in MB.
func (b *bench) peakMemory(r *row) (float64, error) {
	var found []float64
	for range 11 {
		if r.before != nil {
			r.before()
		}
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(b.ctx, b.peak, append([]string{r.program}, r.args...)...)
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

// A result is the result of several gets at once.
type result struct {
	took      time.Duration
	exchanges int
	requests  string
}

// getInParallel starts n processes at once in an empty home directory, without a key, as a build of many images on a
// new agent does.
func (b *bench) getInParallel(n int) (result, error) {
	home, err := b.newHome("parallel")
	if err != nil {
		return result{}, err
	}
	r := &row{program: b.helper, args: []string{"get"}, env: b.env(home, "file"), user: nullGUID}
	errs := make([]error, n)
	b.cloud.Reset()
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = b.run(r) })
	}
	wg.Wait()
	return result{time.Since(start), b.cloud.Seen(azuretest.KindExchange), b.requests()}, errors.Join(errs...)
}
