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

// typed are the documents whose commands a user types one after the other, in this order. (Those in docs/ci.md need Azure.)
var typed = []string{"README.md", "docs/troubleshooting.md", "docs/authentication.md", "docs/configuration.md", "docs/commands.md"}

// TestDocuments_commands runs the commands of the documents, in a home directory without the program. Each must succeed.
func TestDocuments_commands(t *testing.T) {
	requireTools(t, "bash", "docker", "podman", "skopeo", "script")
	s := newShell(t)
	for _, document := range typed {
		for _, b := range codeBlocks(t, document) {
			if b.language != "sh" {
				continue
			}
			for _, command := range splitCommands(b.text) {
				s.run(fmt.Sprintf("%s:%d", document, b.line), command)
			}
		}
	}
	if s.count < 20 {
		t.Errorf("found only %d commands", s.count)
	}
	if installed := filepath.Join(s.env["GOPATH"], "bin", program); !exists(installed) {
		t.Errorf("%s was not installed", installed)
	}
}

// TestDocuments_config_files proves that the program accepts the documents' config files.
func TestDocuments_config_files(t *testing.T) {
	f := newFixture(t)
	f.useServicePrincipal(clientSecret)
	for _, b := range codeBlocks(t, "docs/configuration.md") {
		if b.language != "json" {
			continue
		}
		f.write(filepath.Join(f.home, ".config", program, "config.json"), b.text)
		out, _ := f.exec("", program, "doctor", "--json") // fails, because no client is configured
		var report struct {
			Checks []struct{ Check, Status, Fact string }
		}
		if err := json.NewDecoder(strings.NewReader(out)).Decode(&report); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, c := range report.Checks {
			if c.Check == "config" && c.Status != "ok" {
				t.Errorf("%s:%d: %s", b.document, b.line, c.Fact)
			}
		}
	}
}

// A shell is where a user types the documents' commands.
type shell struct {
	*fixture
	ada      *azuretest.User
	checkout string
	exports  string // the export commands so far
	count    int
}

func newShell(t *testing.T) *shell {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &shell{fixture: newFixture(t), checkout: checkout}
	s.useServicePrincipal(clientSecret) // what the README leaves to the environment
	s.ada = s.tenant.AddUser("ada@contoso.com")
	s.registry.Grant(s.ada, azuretest.AcrPull)
	s.cloud.AddRegistry("fabrikam.azurecr.io", s.tenant).Grant(s.ada, azuretest.AcrPull)
	s.cloud.PollInterval(time.Second)
	addImages(t, s.backend, "app:latest")
	s.write(filepath.Join(s.work, "secret"), clientSecret)
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB", "GONOSUMDB"} {
		s.env[name] = goEnv(t, name)
	}
	s.env["GOPATH"] = s.dir("go")
	s.env["PATH"] = s.makeStandIns() + string(os.PathListSeparator) + os.Getenv("PATH")
	go s.signInUsers()
	return s
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	value, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

// makeStandIns returns a directory with stand-ins for what is not available here: a browser with its user, and Azure CLI.
// Real clients run the helper; only where Docker's engine can't be started, docker pull gets no more than the manifest.
func (s *shell) makeStandIns() string {
	dir := s.dir("stand-ins")
	podman := s.commands("podman {podman}", "", "")[0]
	docker := "exec " + s.find("docker") + ` "$@"`
	if hasEngine() {
		s.startEngine()
	} else {
		docker = `[ "$1" = pull ] || exit 64; exec ` + s.find("docker") + ` manifest inspect "$2"`
	}
	for name, script := range map[string]string{
		"docker":   docker,
		"podman":   "exec " + s.find("podman") + " " + strings.Join(podman[1:], " ") + ` "$@"`,
		"xdg-open": `echo "$1" > ` + s.openedPath(),
		"az":       `[ "$1" = login ]`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	return dir
}

// openedPath is the file with the address that a browser was asked to open.
func (s *shell) openedPath() string { return filepath.Join(s.work, "opened") }

// signInUsers signs ada in wherever a device code or a browser waits, until the test ends.
func (s *shell) signInUsers() {
	for range time.Tick(100 * time.Millisecond) {
		for _, code := range s.cloud.DeviceCodes() {
			_ = s.cloud.EnterCode(code, s.ada, azuretest.SignIn)
		}
		address, err := os.ReadFile(s.openedPath())
		if err == nil && strings.HasSuffix(string(address), "\n") && os.Remove(s.openedPath()) == nil {
			_, _ = s.cloud.Browse(strings.TrimSpace(string(address)), s.ada)
		}
		if s.t.Context().Err() != nil {
			return
		}
	}
}

// splitCommands returns the commands of a code block. A backslash at the end of a line continues it.
func splitCommands(block string) []string {
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(block, "\\\n", " ")), "\n")
}

// run runs a command in bash; make runs in the checkout.
func (s *shell) run(position, command string) {
	s.t.Helper()
	if strings.HasPrefix(command, "make test") {
		return // it runs this test
	}
	s.count++
	if strings.HasPrefix(command, "export ") {
		s.exports += command + "\n"
		return
	}
	command = strings.NewReplacer(
		"--client-id ID", "--client-id "+clientID, "--tenant T", "--tenant "+s.tenant.ID(),
		"--tenant contoso.com", "--tenant "+s.tenant.ID(),
	).Replace(command)
	if strings.HasPrefix(command, "make ") {
		command = "cd " + s.checkout + "; " + command
	}
	stdin, args := "", []string{"bash", "-ec", s.exports + command}
	if strings.Contains(command, "# on a terminal") {
		stdin = "2\n\n" // device code, Azure CLI's application
		args = []string{"script", "-qec", s.exports + command, os.DevNull}
	}
	if out, err := s.exec(stdin, args...); err != nil {
		s.t.Errorf("%s: %s: %v\n%s", position, command, err, out)
	}
}
