package main

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
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
	add(&row{
		name: "minimal helper", program: b.minimal, user: "user", env: b.env(b.dir, "none", b.proxy, nil), theirs: true,
	}, nil)
	add(b.cached("kernel", "kernel keyring", 2.0))
	if bus, problem := b.startSecretService(); problem != nil {
		add(nil, fmt.Errorf("%w: get, cached, Secret Service: %w", errSkipped, problem))
	} else {
		add(b.cached("os", "Secret Service", 3.2, bus))
		add(b.dockerHelper(bus))
	}
	for _, entries := range []int{1, 1000, 10000} {
		add(b.cachedAmong(entries))
	}
	add(b.cachedForKubelet())
	add(b.cold())
	return rows, skipped, err
}

// cached returns the row of a get with a cached token, which it makes first.
func (b *bench) cached(keyring, title string, budget float64, extra ...string) (*row, error) {
	home, err := b.newHome(keyring)
	if err != nil {
		return nil, err
	}
	r := &row{
		name: "get, cached, " + title, program: b.helper, args: []string{"get"},
		env:  append(b.env(home, keyring, b.proxy, servicePrincipal), extra...),
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

// cachedForKubelet returns the row of a request of kubelet with a cached token.
func (b *bench) cachedForKubelet() (*row, error) {
	r, err := b.cached("file", "key file", 2.5)
	if err == nil {
		r.name = "kubelet, cached, key file"
		r.kubelet = true
		r.args, err = b.kubeletArgs(homeOf(r))
	}
	if err == nil {
		_, err = b.run(r)
	}
	return r, err
}

// kubeletArgs writes an azure.json with the service principal, and returns the arguments with which kubelet runs the
// program. (A managed identity's endpoint has an address that only a network of its own could have here.)
func (b *bench) kubeletArgs(home string) ([]string, error) {
	path := filepath.Join(home, "azure.json")
	content, err := json.Marshal(map[string]string{
		"tenantId": tenantID, "aadClientId": clientID, "aadClientSecret": password,
	})
	return []string{"kubelet", path}, errors.Join(err, os.WriteFile(path, content, 0o600))
}

// cachedAmong returns the row of a get with a cached token in a vault of this many entries. The others are copies of
// it with random names; no get opens them, because it asks for names.
func (b *bench) cachedAmong(entries int) (*row, error) {
	r, err := b.cached("file", "key file", 0)
	if err != nil {
		return nil, err
	}
	r.entries = entries
	if entries == 1 {
		return r, nil
	}
	r.name, r.memory = fmt.Sprintf("%s, %s entries", r.name, thousands(entries)), 0
	tokens, err := filepath.Glob(filepath.Join(homeOf(r), "acr", "vault", "*", "*.token"))
	if err != nil || len(tokens) == 0 {
		return nil, fmt.Errorf("%s: no token is stored: %v", r.name, err)
	}
	content, err := os.ReadFile(tokens[0])
	for range entries - 1 {
		random := make([]byte, (len(filepath.Base(tokens[0]))-len(".token"))/2)
		rand.Read(random)
		name := filepath.Join(filepath.Dir(tokens[0]), hex.EncodeToString(random)+".token")
		err = errors.Join(err, os.WriteFile(name, content, 0o600))
	}
	return r, err
}

// homeOf returns a row's home directory.
func homeOf(r *row) string {
	for _, v := range r.env {
		if home, ok := strings.CutPrefix(v, "HOME="); ok {
			return home
		}
	}
	return ""
}

// cold returns the row of a get without a cached token. The key is in a file, the fastest keyring, so that most of the
// time is that of the requests.
func (b *bench) cold() (*row, error) {
	home, err := b.newHome("cold")
	return &row{
		name: "get, cold (sign in, exchange)", program: b.helper, args: []string{"get"},
		env: b.env(home, "file", b.proxy, servicePrincipal), user: nullGUID, memory: 16,
		kinds:  []string{azuretest.KindEntraToken, azuretest.KindExchange},
		before: func() error { return emptyVault(home) },
	}, err
}

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
