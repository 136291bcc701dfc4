package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

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
