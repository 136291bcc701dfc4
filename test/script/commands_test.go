package script

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

// cloudCommand asks and changes the script's cloud.
func cloudCommand(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value("fixture").(*fixture)
	if neg || len(args) == 0 {
		ts.Fatalf("usage: cloud seen|unexpected-hosts|reset|advance|fault|clear-faults|do")
	}
	switch args[0] {
	case "seen":
		want, err := strconv.Atoi(args[2])
		ts.Check(err)
		if got := s.cloud.Seen(args[1]); got != want {
			ts.Fatalf("the cloud has seen %d requests of kind %s, not %d", got, args[1], want)
		}
	case "unexpected-hosts":
		if got := s.cloud.ForeignHosts(); strings.Join(got, " ") != strings.Join(args[1:], " ") {
			ts.Fatalf("requests to unexpected hosts: %q", got)
		}
	case "reset":
		s.cloud.Reset()
	case "advance":
		d, err := time.ParseDuration(args[1])
		ts.Check(err)
		s.cloud.AdvanceClock(d)
	case "fault":
		s.cloud.Fault(args[1], args[2], s.fault(ts, args[3:]))
	case "clear-faults":
		s.cloud.ClearFaults()
	case "do":
		for _, table := range allChanges {
			if do, ok := table[args[1]]; ok {
				do(ts, s, args[2:])
				return
			}
		}
		ts.Fatalf("cloud do %s: there is no such change", args[1])
	default:
		ts.Fatalf("cloud %s: there is no such command", args[0])
	}
}

func (s *fixture) fault(ts *testscript.TestScript, settings []string) azuretest.Fault {
	var f azuretest.Fault
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		number, _ := strconv.Atoi(value)
		switch key {
		case "status":
			f.Status = number
		case "times":
			f.Times = number
		case "body":
			f.Body = value
		case "type":
			f.ContentType = value
		case "redirect":
			f.Redirect, f.Status = value, http.StatusTemporaryRedirect
		case "retry-after":
			f.Header = http.Header{"Retry-After": {value}}
		case "challenge":
			f.Header = http.Header{"Www-Authenticate": {strings.ReplaceAll(value, "|", " ")}}
		case "oversize":
			f.Oversize = int64(number)
		case "cut-off":
			f.CutOff = true
		case "close":
			f.CloseConn = true
		case "hang":
			f.Hang = true
		case "latency":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			f.Latency = d
		case "aadsts":
			f = s.cloud.AADSTS(number)
		case "replace":
			from, to, _ := strings.Cut(value, "->")
			f.Mutate = func(b []byte) []byte { return bytes.ReplaceAll(b, []byte(from), []byte(to)) }
		default:
			ts.Fatalf("cloud fault: there is no %s", key)
		}
	}
	return f
}

// A change is one of the further things that can happen to a cloud.
type change func(*testscript.TestScript, *fixture, []string)

// allChanges are what cloud do can do.
var allChanges = []map[string]change{registryChanges, userChanges, hostChanges, clusterChanges}

// registryChanges are changes of the registry and its application.
var registryChanges = map[string]change{
	"revoke":        func(_ *testscript.TestScript, s *fixture, _ []string) { s.registry.Revoke(s.app) },
	"grant":         func(_ *testscript.TestScript, s *fixture, _ []string) { s.registry.Grant(s.app, azuretest.AcrPull) },
	"firewall":      func(_ *testscript.TestScript, s *fixture, a []string) { s.registry.Firewall(a[0]) },
	"rotate":        func(_ *testscript.TestScript, s *fixture, a []string) { s.app.SetSecret(a[0]) },
	"expire-secret": func(_ *testscript.TestScript, s *fixture, _ []string) { s.app.ExpireSecret(password) },
	"disable":       func(_ *testscript.TestScript, s *fixture, _ []string) { s.app.Disable() },
	"throttle":      func(_ *testscript.TestScript, s *fixture, a []string) { s.registry.Throttle(1000, a[0]) },
	"registry": func(_ *testscript.TestScript, s *fixture, a []string) {
		r := s.cloud.AddRegistry(a[0], s.tenant)
		r.Grant(s.app, azuretest.AcrPull)
		for _, upn := range a[1:] {
			r.Grant(s.user(upn), azuretest.AcrPull)
		}
	},
	"shape": func(ts *testscript.TestScript, s *fixture, a []string) {
		s.registry.ShapeRefreshTokens(map[string]azuretest.TokenShape{
			"right": {}, "expired": {Expired: true}, "opaque": {Opaque: true},
			"huge": {Padding: 40 << 10}, "foreign": {Audience: "fabrikam.azurecr.io"},
		}[a[0]])
	},
	"admin":          func(_ *testscript.TestScript, s *fixture, a []string) { s.registry.SetAdmin(a[0], a[1]) },
	"store-token":    storeToken,
	"az":             signInAz,
	"tool":           signInTool,
	"anonymous-pull": func(_ *testscript.TestScript, s *fixture, _ []string) { s.registry.AnonymousPull(true) },
}

// storeToken writes what az acr login hands to docker login for a registry, as
// the input of store: cloud do store-token FILE USER.
func storeToken(ts *testscript.TestScript, s *fixture, a []string) {
	token := s.registry.RefreshTokenFor(s.app)
	content, err := json.Marshal(map[string]string{"ServerURL": s.registry.Host(), "Username": a[1], "Secret": token})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(a[0]), content, 0o600))
}

// clockCommand moves the program's clock and the cloud's together: clock 2h.
// With a second word it moves only "program" or "cloud".
func clockCommand(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	if len(args) == 1 || args[1] == "cloud" {
		ts.Value("fixture").(*fixture).cloud.AdvanceClock(d)
	}
	if len(args) == 1 || args[1] == "program" {
		ahead, _ := time.ParseDuration(ts.Getenv("CLOCK_AHEAD"))
		ts.Setenv("CLOCK_AHEAD", (ahead + d).String())
	}
}

// parallelCommand runs N processes at the same time, which get the inputs in turn. All must succeed, or with ! all must
// fail, with the same output for the same input:
//
//	parallel N INPUT[,INPUT…] ACTION…
func parallelCommand(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	inputs := strings.Split(args[1], ",")
	for i, name := range inputs {
		inputs[i] = ts.ReadFile(name)
	}
	path := exec.Command("docker-credential-acr").Path
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if candidate := filepath.Join(dir, "docker-credential-acr"); fileExists(candidate) {
			path = candidate
			break
		}
	}
	outputs := make([]string, n)
	failed := make([]bool, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			cmd := exec.Command(path, args[2:]...)
			cmd.Dir = ts.MkAbs(".")
			cmd.Env = parallelEnviron(ts)
			cmd.Stdin = strings.NewReader(inputs[i%len(inputs)])
			out, err := cmd.Output()
			outputs[i], failed[i] = string(out), err != nil
		})
	}
	all.Wait()
	for i := range n {
		if first := outputs[i%len(inputs)]; failed[i] != neg || outputs[i] != first {
			ts.Fatalf("process %d: failed %v, output %q; the first one's output: %q", i, failed[i], outputs[i], first)
		}
	}
	fmt.Fprintln(ts.Stdout(), outputs[0])
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// environment are the variables that the program reads in scripts.
var environment = []string{
	"PATH", "HOME", "USERPROFILE", "AZURE_CONFIG_DIR", "DOCKER_CREDENTIAL_ACR_HOME", "DOCKER_CREDENTIAL_ACR_KEYRING",
	"CLOUD_ADDR", "CLOUD_CA", "TRANSCRIPT", "CLOCK_AHEAD", "ON_AZURE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET",
}

// parallelEnviron returns those variables of the script that the program reads.
func parallelEnviron(ts *testscript.TestScript) (environ []string) {
	for _, name := range environment {
		environ = append(environ, name+"="+ts.Getenv(name))
	}
	return environ
}

// sizeCommand writes a file of so many bytes: size FILE N.
func sizeCommand(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.Repeat([]byte("a"), n), 0o600))
}

// bytesCommand writes a file with the escapes of a Go string: bytes FILE TEXT.
func bytesCommand(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + args[1] + `"`)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// expandCommand replaces $VARIABLES in a file of the script: expand FILE. Paths get slashes, which need no quotes in JSON.
func expandCommand(ts *testscript.TestScript, _ bool, args []string) {
	content := os.Expand(ts.ReadFile(args[0]), func(name string) string { return filepath.ToSlash(ts.Getenv(name)) })
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(content), 0o600))
}
