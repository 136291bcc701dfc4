package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// TestManual types what the README tells its readers to type, command by command, in a
// home where nothing is installed yet, and demands that each command succeeds.
func TestManual(t *testing.T) {
	need(t, "bash", "docker", "podman", "skopeo", "script")
	r := newReader(t)
	for _, f := range fences(t, "README.md") {
		if f.language != "sh" {
			continue
		}
		for _, command := range commandsOf(f.text) {
			r.types(fmt.Sprintf("README.md:%d", f.line), command)
		}
	}
	if r.typed < 20 {
		t.Errorf("only %d commands were found", r.typed)
	}
	if installed := filepath.Join(r.env["GOPATH"], "bin", program); !exists(installed) {
		t.Errorf("%s was not installed", installed)
	}
}

// TestManualConfigFiles holds that the program takes the README's config files.
func TestManualConfigFiles(t *testing.T) {
	s := newStage(t)
	s.signIn(clientSecret)
	for _, f := range fences(t, "README.md") {
		if f.language != "json" {
			continue
		}
		s.write(filepath.Join(s.home, ".config", program, "config.json"), f.text)
		out, _ := s.exec("", program, "doctor", "--json") // that nobody names the helper is none of this test's
		var report struct {
			Checks []struct{ Check, Status, Fact string }
		}
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, c := range report.Checks {
			if c.Check == "config" && c.Status != "ok" {
				t.Errorf("README.md:%d: %s", f.line, c.Fact)
			}
		}
	}
}

// A reader is somebody who follows the README.
type reader struct {
	*stage
	ada      *azuretest.User
	checkout string
	exports  string // what a shell has been told for all that follows
	typed    int
}

func newReader(t *testing.T) *reader {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{stage: newStage(t), checkout: checkout}
	r.signIn(clientSecret) // what else says who they are
	r.ada = r.tenant.AddUser("ada@contoso.com")
	r.registry.Grant(r.ada, azuretest.AcrPull)
	fabrikam := r.cloud.AddRegistry("fabrikam.azurecr.io", r.tenant)
	fabrikam.Grant(r.ada, azuretest.AcrPull)
	r.cloud.PollInterval(time.Second)
	seed(t, r.backend, "app:latest")
	r.write(filepath.Join(r.work, "secret"), clientSecret)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB", "GONOSUMDB"} {
		value, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		r.env[name] = strings.TrimSpace(string(value))
	}
	r.env["GOPATH"] = r.dir("go")
	r.env["PATH"] = r.shims() + string(os.PathListSeparator) + os.Getenv("PATH")
	go r.signsIn()
	return r
}

// shims stand for what isn't to be had here: an engine to pull with, a browser with
// somebody before it, Azure CLI, Helm. What asks for credentials is the real client.
func (r *reader) shims() string {
	dir := r.dir("shims")
	podman := r.commands("podman {podman}", "", "")[0]
	for name, script := range map[string]string{
		"docker":   `[ "$1" = pull ] || exit 64; exec ` + r.find("docker") + ` manifest inspect "$2"`,
		"podman":   "exec " + r.find("podman") + " " + strings.Join(podman[1:], " ") + ` "$@"`,
		"helm":     `[ "$1 $2" = "registry login" ] || exit 64; shift 2; exec skopeo login --authfile ` + r.work + `/helm.json "$@"`,
		"xdg-open": `echo "$1" > ` + r.opened(),
		"az":       `[ "$1" = login ]`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	return dir
}

func (r *reader) opened() string { return filepath.Join(r.work, "opened") }

// signsIn answers whatever asks for a person until the test ends.
func (r *reader) signsIn() {
	for range time.Tick(100 * time.Millisecond) {
		for _, code := range r.cloud.DeviceCodes() {
			_ = r.cloud.EnterCode(code, r.ada, azuretest.SignsIn)
		}
		address, err := os.ReadFile(r.opened())
		if err == nil && strings.HasSuffix(string(address), "\n") && os.Remove(r.opened()) == nil {
			_, _ = r.cloud.Browse(strings.TrimSpace(string(address)), r.ada)
		}
		if r.t.Context().Err() != nil {
			return
		}
	}
}

// commandsOf parts a block into commands. A backslash joins lines.
func commandsOf(block string) []string {
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(block, "\\\n", " ")), "\n")
}

// types has a command run as a shell would, in the checkout where make is meant.
func (r *reader) types(where, command string) {
	r.t.Helper()
	if strings.HasPrefix(command, "make test") {
		return // which is what runs here
	}
	r.typed++
	if strings.HasPrefix(command, "export ") {
		r.exports += command + "\n"
		return
	}
	command = strings.NewReplacer(
		"--client-id ID", "--client-id "+clientID, "--tenant T", "--tenant "+r.tenant.ID(), "--tenant contoso.com", "--tenant "+r.tenant.ID(),
	).Replace(command)
	if strings.HasPrefix(command, "make ") {
		command = "cd " + r.checkout + "; " + command
	}
	answers, line := "", []string{"bash", "-ec", r.exports + command}
	if strings.Contains(command, "# on a terminal") {
		answers = "2\n\n" // with a code, to Azure CLI's own application
		line = []string{"script", "-qec", r.exports + command, os.DevNull}
	}
	if out, err := r.exec(answers, line...); err != nil {
		r.t.Errorf("%s: %s: %v\n%s", where, command, err, out)
	}
}
