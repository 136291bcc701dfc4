package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	host    string       // the registry; "" for the usual one
	kubelet bool         // the request is kubelet's, with azure.json
	user    string       // the user in the right output
	kinds   []string     // of the requests that each run must send once; nil for no request at all
	before  func() error // runs before each run, and is not measured; nil for none
	entries int          // how many entries the vault has; 0 where that is not compared
	theirs  bool         // is a program of others

	budget        float64 // times the minimal helper, or round trips; 0 for none
	requestBudget float64 // 0 for none
	memory        float64 // budget in MB; 0 for none

	times    []time.Duration
	requests string // of the last run
	sent     int    // the number of these requests
}

func (r *row) percentile(part float64) time.Duration {
	sorted := slices.Sorted(slices.Values(r.times))
	return sorted[int(part*float64(len(sorted)-1))]
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// errSkipped is the error for a row that can't be measured on this computer.
var errSkipped = errors.New("not measured")

// emptyVault deletes all but the key.
func emptyVault(home string) error {
	files, err := filepath.Glob(filepath.Join(home, "acr", "vault", "*-*", "*"))
	for _, f := range files {
		err = errors.Join(err, os.RemoveAll(f))
	}
	return err
}

// measure runs all rows in turns, and checks that each sends the requests that it must. The order changes, because a
// process is slower after a smaller one.
func (b *bench) measure(rows []*row, runs int) error {
	for range runs {
		for _, i := range mathrand.Perm(len(rows)) {
			if err := b.measureOnce(rows[i]); err != nil {
				return fmt.Errorf("%s: %w", rows[i].name, err)
			}
		}
	}
	return nil
}

func (b *bench) measureOnce(r *row) error {
	if r.before != nil {
		if err := r.before(); err != nil {
			return err
		}
	}
	b.cloud.Reset()
	took, err := b.run(r)
	if err != nil {
		return err
	}
	r.times, r.requests, r.sent = append(r.times, took), b.requests(), len(b.cloud.Requests())
	if r.kinds == nil && r.sent > 0 {
		return fmt.Errorf("sent requests: %s", r.requests)
	}
	for _, kind := range r.kinds {
		if n := b.cloud.Seen(kind); n != 1 {
			return fmt.Errorf("sent %d requests of kind %s, want 1", n, kind)
		}
	}
	return nil
}

// run runs a row's process and checks its output. The time is that of the whole process, which is what a pull waits
// for.
func (b *bench) run(r *row) (time.Duration, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(b.ctx, r.program, r.args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.env, r.stdin(), &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil { // what a helper that fails prints has no secret
		return took, fmt.Errorf("%w: %s%s", err, &stdout, &stderr)
	}
	return took, r.check(stdout.Bytes(), stderr.String())
}

const nullGUID = "00000000-0000-0000-0000-000000000000"

// kubeletRequest is kubelet's for an image of the usual registry.
const kubeletRequest = `{"kind":"CredentialProviderRequest","apiVersion":"credentialprovider.kubelet.k8s.io/v1","image":"` +
	host + `/app"}`

func (r *row) stdin() io.Reader {
	if r.kubelet {
		return strings.NewReader(kubeletRequest)
	}
	return strings.NewReader(cmp.Or(r.host, host))
}

// check checks the output. Its error doesn't quote the output, which may have a secret.
func (r *row) check(stdout []byte, stderr string) error {
	type credential struct{ Username, Secret, Password string }
	var answer struct {
		credential
		Auth map[string]credential // kubelet's
	}
	err := json.Unmarshal(stdout, &answer)
	found := answer.credential
	if r.kubelet {
		found = answer.Auth[host]
	}
	switch {
	case stderr != "":
		return fmt.Errorf("printed to stderr: %s", stderr)
	case err != nil:
		return errors.New("printed no JSON")
	case found.Username != r.user || found.Secret+found.Password == "":
		return fmt.Errorf("returned the user %q, want %q", found.Username, r.user)
	}
	return nil
}

// A result is the result of several gets at once.
type result struct {
	took     time.Duration
	most     int // the requests of the most frequent kind: 1 if the processes shared all of them
	requests string
}

// getInParallel starts n processes at once in an empty home directory, without a key, as a build of many images on a
// new agent does.
func (b *bench) getInParallel(n int) (result, error) {
	home, err := b.newHome("parallel")
	if err != nil {
		return result{}, err
	}
	r := &row{
		program: b.helper, args: []string{"get"}, env: b.env(home, "file", b.proxy, servicePrincipal), user: nullGUID,
	}
	errs := make([]error, n)
	b.cloud.Reset()
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { _, errs[i] = b.run(r) })
	}
	wg.Wait()
	most := max(b.cloud.Seen(azuretest.KindEntraToken), b.cloud.Seen(azuretest.KindExchange))
	return result{time.Since(start), most, b.requests()}, errors.Join(errs...)
}
