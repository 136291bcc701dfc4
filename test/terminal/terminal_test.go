// Package terminal tests that nothing from outside the program reaches the user's terminal as it is. Names in files,
// variables, arguments, servers' and programs' words may hold control characters, which a terminal obeys, or invisible
// ones, which make one name look like another.
package terminal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func TestMain(m *testing.M) {
	programs := map[string]func(){}
	for _, name := range strings.Fields("az azd pwsh docker-credential-loud xdg-open open docker-credential-acr") {
		programs[name] = loud
	}
	testscript.Main(m, programs)
}

// loud plays another program, which prints what the test puts into the file of its name beside AZURE_CONFIG_DIR's files:
// the exit status, standard output and standard error, as JSON.
func loud() {
	var said struct {
		Status         int
		Stdout, Stderr []byte
	}
	content, _ := os.ReadFile(filepath.Join(os.Getenv("AZURE_CONFIG_DIR"), "loud.json"))
	_ = json.Unmarshal(content, &said)
	_, _ = os.Stdout.Write(said.Stdout)
	_, _ = os.Stderr.Write(said.Stderr)
	os.Exit(said.Status)
}

// forged would begin a line if a line break from outside was printed.
const forged = "FORGED"

// texts are what comes from outside: each kind of character alone, because what checks for one of them may refuse the
// text before another one is printed, and all together.
var texts = map[string]string{
	"escape sequence":  "a\x1b]0;PWN\a\x1b[31mz",
	"C1":               "a\u009b31m\x9b31mz",
	"direction":        "a\u202eb\u2066z",
	"invisible":        "a\u200bb\u3164c\u00ad\ufe0f\u2800z",
	"invalid UTF-8":    "a\xffz",
	"line break":       "a\n" + forged,
	"carriage return":  "a\r" + forged,
	"line separator":   "a\u2028\u0085\v\f" + forged,
	"all but newlines": "a\x1b]0;PWN\a\u009b\x9b\u202e\u2066\u200b\u3164\xff\x7f\bz",
}

// A fixture is one run's surroundings, which a scenario makes hostile.
type fixture struct {
	text    string // what comes from outside
	home    string
	environ map[string]string
	// transport is the fake Azure's unless a scenario has its own.
	transport http.RoundTripper
	// onlyReads says that nothing may be written, because a variable has a path that isn't below the home directory.
	onlyReads bool
}

// Names that the scenarios use.
const (
	registryHost = "contoso.azurecr.io"
	clientID     = "7d1c0000-0000-4000-8000-00000000abcd"
	tenantID     = "11111111-2222-3333-4444-555555555555"
)

func newFixture(t *testing.T, cloud *azuretest.Cloud, text string) *fixture {
	f := &fixture{text: text, home: t.TempDir()}
	f.environ = map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": f.home, "USERPROFILE": f.home, "AZURE_CONFIG_DIR": filepath.Join(f.home, ".azure"),
		"DOCKER_CREDENTIAL_ACR_HOME": filepath.Join(f.home, "acr"), "DOCKER_CREDENTIAL_ACR_KEYRING": "file",
		"XDG_RUNTIME_DIR": filepath.Join(f.home, "run"), "DOCKER_CREDENTIAL_ACR_TRACE": "1",
	}
	transport := cloud.Transport()
	transport.Proxy = func(*http.Request) (*url.URL, error) {
		if proxy := f.environ["HTTPS_PROXY"]; proxy != "" {
			return url.Parse(proxy)
		}
		return nil, nil
	}
	f.transport = transport
	f.write(t, ".config/containers/registries.conf", "") // instead of the machine's
	return f
}

// variables returns the environment as os.Environ does.
func (f *fixture) variables() (environ []string) {
	for name, value := range f.environ {
		environ = append(environ, name+"="+value)
	}
	return environ
}

// write writes a file below the home directory.
func (f *fixture) write(t *testing.T, name, content string) {
	t.Helper()
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(f.home, name)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// says makes the other programs print something.
func (f *fixture) says(t *testing.T, status int, stdout, stderr string) {
	content, _ := json.Marshal(map[string]any{"Status": status, "Stdout": []byte(stdout), "Stderr": []byte(stderr)})
	f.write(t, ".azure/loud.json", string(content))
}

// principal selects the service principal that the fake Azure knows.
func (f *fixture) principal() {
	f.environ["AZURE_CLIENT_ID"], f.environ["AZURE_TENANT_ID"] = clientID, tenantID
	f.environ["AZURE_CLIENT_SECRET"] = "s3cret-value"
}

// quoted returns a text as a JSON string that has its invalid UTF-8, too.
func quoted(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c == '"' || c == '\\' {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// A command is what a user or a client runs.
type command struct {
	args  []string
	stdin string
	// asks says that standard input is a terminal, where it is typed.
	asks bool
	// writes says that it changes files.
	writes bool
	// canceled is after how long the user cancels it, 0 for some seconds: a few retries.
	canceled time.Duration
}

// names are the commands that users type.
var names = strings.Fields("login logout status doctor configure unconfigure token unlock config kubelet")

// commands are all commands, in an order in which the later ones find something to work on.
func commands(text string) (list []command) {
	words := [][]string{
		{"list"},
		{"version"},
		{"config"},
		{"config", "check"},
		{"kubelet", "--print-config"},
		{"status"},
		{"status", "--json"},
		{"status", registryHost},
		{"status", registryHost, "--check"},
		{"status", "*.azurecr.io"},
		{"status", "other.example", "--check"},
		{"doctor"},
		{"doctor", "--verbose"},
		{"doctor", "--json"},
		{"doctor", registryHost},
		{"doctor", registryHost, "--verbose"},
		{"doctor", registryHost, "--json"},
		{"token", registryHost},
		{"token", registryHost, "--output", "json", "--force"},
		{"unlock"},
		{"login", registryHost, "--azure-cli"},
	}
	for _, name := range []string{"configure", "unconfigure"} {
		for _, more := range [][]string{
			{registryHost},
			{"--all-registries"},
			{"--all-registries", "--client", "docker"},
			{"--all-registries", "--client", "podman"},
			{registryHost, "--force", "--migrate-plaintext"},
			{"--all-registries", "--force", "--migrate-plaintext"},
		} {
			words = append(words, slices.Concat([]string{name, "--dry-run"}, more))
		}
	}
	for _, name := range append(names, "") {
		words = append(words, []string{"__complete", name, ""}, []string{"__completeNoDesc", name, ""})
	}
	for _, args := range words {
		list = append(list, command{args: args})
	}
	for _, server := range []string{registryHost, "other.example", text, registryHost + "/" + text} {
		list = append(list, command{args: []string{"get"}, stdin: server})
	}
	applied := []string{"configure", registryHost, "--client", "docker", "--force"}
	return append(list,
		command{args: []string{"kubelet"}, stdin: `{"apiVersion":"credentialprovider.kubelet.k8s.io/v1",` +
			`"kind":"CredentialProviderRequest","image":` + quoted(registryHost+"/"+text) + `}`},
		command{args: []string{"kubelet", text}, stdin: text},
		command{args: []string{"kubelet", "--registry-mirror", text + ":" + text, "--print-config"}},
		command{args: []string{"store"}, stdin: text},
		command{args: []string{"store"}, stdin: `{"ServerURL":` + quoted(registryHost+text) +
			`,"Username":"u","Secret":"s"}`},
		command{args: []string{"erase"}, stdin: text},
		command{args: []string{"login", registryHost}, stdin: "x" + text + "\n", asks: true},
		command{args: []string{"login"}, stdin: text + "\n", asks: true},
		command{args: []string{"login", registryHost, "--service-principal"}, stdin: "wrong\n"},
		command{args: []string{"login", registryHost, "--service-principal"}, stdin: "wrong\n", asks: true},
		command{args: applied[:4], writes: true},
		command{args: append(slices.Clone(applied), "--migrate-plaintext"), writes: true},
		command{args: applied, stdin: text + "\n", asks: true, writes: true},
		command{args: []string{"unconfigure", "--client", "docker"}, writes: true},
		command{args: []string{"logout", registryHost}, writes: true},
		command{args: []string{"logout", "--all"}, writes: true},
	)
}

// typed are the commands with the text in an argument: usage errors, and errors about what doesn't exist.
func typed(text string) (list []command) {
	for _, args := range [][]string{
		{text},
		{"-" + text},
		{"--" + text},
		{"help", text},
		{"completion", text},
		{"completion", "bash", text},
		{"get", text},
		{"list", text},
		{"version", text},
		{"__complete", text},
		{"__complete", "status", text},
		{"__complete", "login", "--client-id", text},
		{"__complete", "login", "--" + text},
		{"__complete", "login", text, ""},
		{"status", registryHost + text},
		{"status", "--check", text},
		{"doctor", registryHost + "/" + text},
		{"doctor", registryHost + ":" + text},
		{"configure", registryHost, "--client", text},
		{"token", registryHost, "--output", text},
		{"configure", registryHost, "--dry-run=" + text},
		{"logout", "--all", text},
		{"unlock", text},
		{"login", text, "--anonymous"},
		{"login", text + ".azurecr.io", "--azure-cli"},
	} {
		list = append(list, command{args: args})
	}
	for _, name := range names {
		for _, more := range [][]string{{text}, {"--" + text}, {"-" + text}, {registryHost, text}, {"--json=" + text}} {
			list = append(list, command{args: append([]string{name}, more...)})
		}
	}
	for flag, more := range map[string][]string{
		"client-id": {"--service-principal"}, "tenant": {"--service-principal", "--client-id", clientID},
		"certificate":          {"--client-id", clientID, "--tenant", tenantID},
		"federated-token-file": {"--client-id", clientID, "--tenant", tenantID},
		"secret-file":          {"--service-principal", "--client-id", clientID, "--tenant", tenantID},
		"resource-id":          {"--managed-identity"}, "object-id": {"--managed-identity"}, "subscription": {"--azure-cli"},
		"username": {}, "login-hint": {"--azure-cli"}, "anonymous": {}, "unknown": {},
	} {
		args := append([]string{"login", registryHost, "--" + flag + "=" + text}, more...)
		list = append(list, command{args: args, stdin: "x\n"}, command{args: args, stdin: "x\n", asks: true})
	}
	return append(list, command{
		args:     []string{"login", registryHost, "--browser", "--client-id", "azure-cli", "--login-hint", text},
		canceled: time.Second / 2,
	})
}

// run runs a command and checks its output: in a pipe, and on a terminal that is so wide that nothing is wrapped.
func (f *fixture) run(t *testing.T, c command) {
	t.Helper()
	if c.writes && f.onlyReads {
		return
	}
	for _, isTerminal := range []bool{false, true} {
		stdin := strings.NewReader(c.stdin)
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(c.canceled, 3*time.Second))
		cli.Run(ctx, app.Env{
			Stdin: stdin, StdinIsTerminal: c.asks, Stdout: &stdout, Stderr: &stderr, StdoutIsTerminal: isTerminal,
			ReadPassword: func() ([]byte, error) { return []byte("typed"), nil }, RestoreTerminal: func() {},
			Columns: func() int { return 100000 }, Environ: f.variables(), Transport: f.transport,
			LookupHost: func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, nil },
			Executable: os.Executable, Now: time.Now,
		}, c.args)
		cancel()
		shown := stdout.String()
		if isTerminal {
			shown = ownColors.ReplaceAllString(shown, "")
		}
		for stream, out := range map[string]string{"standard output": shown, "standard error": stderr.String()} {
			if found := unsafe(out); found != "" {
				t.Errorf("%q (terminal: %v) prints on %s %s", c.args, isTerminal, stream, found)
			}
		}
		if slices.Contains(c.args, "--json") && strings.HasPrefix(shown, "{") && !json.Valid(stdout.Bytes()) {
			t.Errorf("%q prints no JSON: %q", c.args, shown)
		}
	}
}

var ownColors = regexp.MustCompile("\x1b\\[(3[123]|0)m")

// unsafe returns the first line that a terminal would not show as it is, or that is not the program's; "" for none.
func unsafe(out string) string {
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		isHidden := func(r rune) bool {
			return r != '\t' && (!unicode.IsGraphic(r) || r == '\u2028' || r == '\u2029' || r == '\u2800' ||
				unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
		}
		if !utf8.ValidString(line) || strings.ContainsFunc(line, isHidden) || strings.HasPrefix(line, forged) {
			return fmt.Sprintf("%q", line)
		}
	}
	return ""
}

// quick are the scenarios that run with every text. The others, which also use network and programs, run with those that
// stand for most.
var quick = strings.Fields("docker podman registries.conf paths config/pattern config/key config/resource vault")

// TestOutput runs every command in surroundings of which one part is hostile.
func TestOutput(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("file names can't have these characters there")
	}
	cloud := azuretest.Start(t)
	tenant := cloud.AddTenant(tenantID, "contoso.example")
	cloud.AddRegistry(registryHost, tenant).Grant(tenant.AddServicePrincipal(clientID, "s3cret-value"), azuretest.AcrPull)
	for _, kind := range slices.Sorted(maps.Keys(texts)) {
		text, isMost := texts[kind], kind == "all but newlines" || kind == "line break"
		if testing.Short() && !isMost {
			continue
		}
		t.Run("arguments/"+kind, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, cloud, text)
			for _, c := range typed(text) {
				f.run(t, c)
			}
		})
		for name, prepare := range scenarios() {
			if !slices.Contains(quick, name) && (testing.Short() || !isMost) {
				continue
			}
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, cloud, text)
				prepare(t, f)
				for _, c := range commands(text) {
					f.run(t, c)
				}
			})
		}
	}
}

// answer is a RoundTripper's answer with a body.
func answer(req *http.Request, status int, header http.Header, body string) *http.Response {
	header.Set("Content-Type", "application/json")
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Request: req,
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
	}
}
