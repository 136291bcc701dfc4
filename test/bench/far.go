package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// distances are the round-trip times to the far clouds: another region, another continent, the other side of the earth.
var distances = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond}

// peers are helpers of others that sign in by the environment and that the Go module proxy serves. They take the
// service principal from the same variables as this helper.
var peers = []struct{ module, version string }{
	{"github.com/chrismellard/docker-credential-acr-env", "v0.0.0-20230304212654-82a0ddb27589"},
}

// farRows returns rows whose requests go to a far cloud, by distances: the same rows for each. All keys are in files.
func (b *bench) farRows() (rows [][]*row, skipped []string, err error) {
	programs, skipped := b.installPeers()
	b.serveOlderTokens()
	managedIdentity := b.startAppService()
	azureCLI, err := b.signInAzureCLI()
	for _, relay := range b.relays {
		cold := func(title string, identity []string, kinds ...string) *row {
			home, problem := b.newHome("far")
			err = errors.Join(err, problem)
			return &row{
				name: "get, " + title, program: b.helper, args: []string{"get"},
				env: b.env(home, "file", relay.url(), identity), user: nullGUID, kinds: kinds,
				before: func() error { return emptyVault(home) },
			}
		}
		principal := cold("cold, service principal", servicePrincipal, azuretest.KindEntraToken, azuretest.KindExchange)
		principal.budget, principal.requestBudget = 4.3, 2
		second := cold("second registry, same identity", servicePrincipal, azuretest.KindExchange)
		second.host, second.budget, second.requestBudget = host2, 3.3, 1
		second.before = func() error { return b.signInElsewhere(second) }
		managed := cold("cold, managed identity", managedIdentity, azuretest.KindAppService, azuretest.KindExchange)
		managed.budget = 3.3
		cli := cold("cold, Azure CLI", azureCLI, azuretest.KindExchange)
		node := cold("cold, kubelet, service principal", nil, azuretest.KindEntraToken, azuretest.KindExchange)
		node.kubelet, node.budget, node.requestBudget = true, 4.3, 2
		var problem error
		node.args, problem = b.kubeletArgs(homeOf(node))
		err = errors.Join(err, problem)
		all := []*row{principal, second, managed, cli, node}
		for _, p := range programs {
			all = append(all, &row{
				name: filepath.Base(p) + ", each get", program: p, args: []string{"get"}, theirs: true,
				env: b.env(b.dir, "none", relay.url(), servicePrincipal), user: "<token>",
				kinds: []string{azuretest.KindEntraOther, azuretest.KindExchange},
			})
		}
		rows = append(rows, all)
	}
	return rows, skipped, err
}

// signInElsewhere leaves a vault as it is after the first get of a row's identity for another registry. It uses the
// near cloud, to be fast.
func (b *bench) signInElsewhere(r *row) error {
	home := homeOf(r)
	if err := emptyVault(home); err != nil {
		return err
	}
	_, err := b.run(&row{
		program: b.helper, args: []string{"get"}, env: b.env(home, "file", b.proxy, servicePrincipal), user: nullGUID,
	})
	return err
}

// startAppService returns the variables of App Service with a managed identity. Its endpoint is local: it is reached
// without delay.
func (b *bench) startAppService() (env []string) {
	identity := b.tenant.AddManagedIdentity("")
	b.grant(identity)
	for name, value := range b.cloud.AddManagedIdentityHost(identity).AppService() {
		env = append(env, name+"="+value)
	}
	return env
}

// signInAzureCLI makes an az that takes almost no time, so that what remains is the helper's own, and returns the
// variables with which a process finds it. (The real one takes 0.5 to 3 seconds.)
func (b *bench) signInAzureCLI() (env []string, err error) {
	user := b.tenant.AddUser("ada@contoso.com")
	b.grant(user)
	dir, err := b.newHome("az")
	if err != nil {
		return nil, err
	}
	token, err := json.Marshal(map[string]any{
		"accessToken": user.AccessToken(registry.Audience, 0), "tenant": tenantID, "tokenType": "Bearer",
		"expires_on": time.Now().Add(75 * time.Minute).Unix(),
	})
	profile := fmt.Sprintf(`{"subscriptions":[{"id":"x","isDefault":true,"tenantId":%q,"environmentName":"AzureCloud",`+
		`"user":{"name":%q,"type":"user"}}]}`, tenantID, user.UPN())
	return []string{"PATH=" + dir + ":/bin:/usr/bin", "AZURE_CONFIG_DIR=" + dir}, errors.Join(
		err,
		os.WriteFile(filepath.Join(dir, "azureProfile.json"), []byte(profile), 0o600),
		os.WriteFile(filepath.Join(dir, "az"), fmt.Appendf(nil, "#!/bin/sh\nprintf %%s '%s'\n", token), 0o700),
	)
}

// installPeers builds the peers as the helper is built, and returns their programs. Details of a failure go to
// standard error, not into the document.
func (b *bench) installPeers() (programs, skipped []string) {
	ctx, cancel := context.WithTimeout(b.ctx, 3*time.Minute)
	defer cancel()
	for _, p := range peers {
		cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "-ldflags", "-s -w", p.module+"@"+p.version)
		cmd.Dir = b.dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOBIN="+b.dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n%s", p.module, err, out)
			skipped = append(skipped, errSkipped.Error()+": "+p.module+": could not be downloaded and built")
			continue
		}
		programs = append(programs, b.path(path.Base(p.module)))
	}
	return programs, skipped
}

// serveOlderTokens serves Entra's older token endpoint, which peers use and the fake Azure doesn't have. It returns
// the same token each time, for Azure Resource Manager, which ACR accepts too.
func (b *bench) serveOlderTokens() {
	now := b.cloud.Now()
	body, _ := json.Marshal(map[string]string{
		"token_type": "Bearer", "access_token": b.app.AccessToken("https://management.azure.com/", 0),
		"resource": "https://management.azure.com/", "expires_in": "3599",
		"expires_on": fmt.Sprint(now.Add(time.Hour).Unix()), "not_before": fmt.Sprint(now.Unix()),
	})
	b.cloud.Fault("login.microsoftonline.com", "/"+tenantID+"/oauth2/token", azuretest.Fault{Body: string(body)})
}

// roundTrips returns how many round trips the median run took at a distance.
func (r *row) roundTrips(rtt time.Duration) float64 { return float64(r.percentile(0.5)) / float64(rtt) }

// at returns the rows at one distance.
func at(rows [][]*row, rtt time.Duration) []*row { return rows[slices.Index(distances, rtt)] }
