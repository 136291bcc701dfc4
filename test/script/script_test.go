// Package script runs the program as its user meets it. Every .txtar file here is a script of commands, inputs and expected
// output, which runs against its own fake Azure. README.md lists the commands.
package script

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"docker-credential-acr":     program,
		"docker-credential-acr-env": program,
		"acr-credential-provider":   program,
		"az":                        fakeAz,
		"fake-delegate":             fakeDelegate,
		"azd":                       fakeTool,
		"pwsh":                      fakeTool,
		"xdg-open":                  fakeBrowser,
		"rundll32":                  fakeBrowser, // of Windows
	})
}

// program is the shipped program in an app.Env whose transport leads to the
// script's cloud and whose clock runs ahead as far as the script says.
func program() {
	ca, err := os.ReadFile(os.Getenv("CLOUD_CA"))
	if err != nil {
		panic(err)
	}
	ahead, _ := time.ParseDuration(os.Getenv("CLOCK_AHEAD"))
	transcript := open(os.Getenv("TRANSCRIPT"))
	transport := azuretest.TransportTo(os.Getenv("CLOUD_ADDR"), ca)
	transport.Proxy = http.ProxyFromEnvironment
	dial := transport.DialContext // which leads to the cloud, whatever the address
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == os.Getenv("PROXY_ADDR") {
			return new(net.Dialer).DialContext(ctx, network, addr)
		}
		return dial(ctx, network, addr)
	}
	var stdout strings.Builder
	status := cli.Main(app.Env{
		Stdout: io.MultiWriter(os.Stdout, &stdout), Stderr: io.MultiWriter(os.Stderr, transcript),
		Environ: os.Environ(), Transport: transport, LookupHost: resolve, Executable: os.Executable,
		OnAzureVM: func() bool { return os.Getenv("ON_AZURE") != "" },
		MachineID: func() string { return "this computer" },
		Parent:    func() string { return os.Getenv("PARENT") },
		Now:       func() time.Time { return time.Now().Add(ahead) },
		Exit:      os.Exit,
	}, os.Stdin, os.Stdout, os.Args)
	if status != 0 || slices.Contains(os.Args, "doctor") { // its output goes into bug reports
		fmt.Fprint(transcript, stdout.String())
	}
	os.Exit(status)
}

func open(path string) *os.File {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setup,
		Cmds:                commands,
	})
}

var commands = map[string]func(*testscript.TestScript, bool, []string){
	"cloud":    cloudCommand,
	"parallel": parallelCommand,
	"clock":    clockCommand,
	"size":     sizeCommand,
	"bytes":    bytesCommand,
	"expand":   expandCommand,
	"waitfor":  waitCommand,
	"ended":    endedCommand,
	"mask":     maskCommand,
	"readme":   readmeCommand,
	"request":  requestCommand,
}

// TestReadme_lists_commands keeps the index of commands complete.
func TestReadme_lists_commands(t *testing.T) {
	content, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Collect(maps.Keys(commands))
	for _, table := range allChanges {
		for name := range table {
			names = append(names, "cloud do "+name)
		}
	}
	for _, name := range names {
		if !regexp.MustCompile("(?m)^\\| `" + name + "[ `]").Match(content) {
			t.Errorf("README.md lacks %q", name)
		}
	}
}

// A fixture is what a script's commands share.
type fixture struct {
	cloud    *azuretest.Cloud
	tenant   *azuretest.Tenant
	registry *azuretest.Registry
	app      *azuretest.ServicePrincipal
	work     string

	users      map[string]*azuretest.User
	identities map[string]*azuretest.ManagedIdentity
	host       *azuretest.ManagedIdentityHost
	issuer     *azuretest.Issuer
	gitHub     *azuretest.GitHubActions
	cluster    *azuretest.Issuer
	proxy      *azuretest.TokenProxy
	accounts   map[string]*azuretest.ServiceAccount
}

// Names that every script may use. The secret is one that nothing else contains.
const (
	tenantID = "11111111-2222-3333-4444-555555555555"
	clientID = "7d1c0000-0000-4000-8000-00000000abcd"
	password = "s3cret~of.the-Service-Principal"
)

// setup gives a script its cloud: registry contoso.azurecr.io, which lets the
// application $CLIENT_ID pull and push, and a scratch home with the key in a file.
func setup(env *testscript.Env) error {
	cloud, err := azuretest.New()
	if err != nil {
		return err
	}
	s := &fixture{
		cloud: cloud, tenant: cloud.AddTenant(tenantID, "contoso.example"), work: env.WorkDir,
		users: map[string]*azuretest.User{}, identities: map[string]*azuretest.ManagedIdentity{},
		accounts: map[string]*azuretest.ServiceAccount{},
	}
	s.app = s.tenant.AddServicePrincipal(clientID, password)
	s.registry = cloud.AddRegistry("contoso.azurecr.io", s.tenant)
	s.registry.Grant(s.app, azuretest.AcrPush)
	env.Values["fixture"] = s
	home := filepath.Join(env.WorkDir, "home")
	ca := filepath.Join(env.WorkDir, "ca.pem")
	if err := cloud.WriteCA(ca); err != nil {
		return err
	}
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	for name, value := range map[string]string{
		"HOME": home, "USERPROFILE": home, "AZURE_CONFIG_DIR": filepath.Join(home, ".azure"),
		"DOCKER_CREDENTIAL_ACR_HOME": filepath.Join(home, "acr"), "DOCKER_CREDENTIAL_ACR_KEYRING": "file",
		"CLOUD_ADDR": cloud.Addr(), "CLOUD_CA": ca, "TRANSCRIPT": filepath.Join(env.WorkDir, "transcript"),
		"TENANT": tenantID, "CLIENT_ID": clientID, "PASSWORD": password,
		"BIN":       filepath.SplitList(env.Getenv("PATH"))[0],
		"NULL_GUID": "00000000-0000-0000-0000-000000000000",
		// Under the race detector a program otherwise sleeps a second at its end.
		"GORACE": "atexit_sleep_ms=10",
	} {
		env.Setenv(name, value)
	}
	env.Defer(func() {
		defer cloud.Close()
		if leak := s.leak(); leak != "" {
			env.T().Log(leak)
			env.T().FailNow()
		}
	})
	return nil
}

// leak looks for every secret there is in whatever the program left behind: its
// files, what it printed to standard error, the arguments and environment of
// its children, and requests to unexpected hosts.
func (s *fixture) leak() string {
	if requests := s.cloud.Leaks(); len(requests) > 0 {
		return fmt.Sprintf("a secret was sent to %s", requests[0].Host)
	}
	found := ""
	for _, left := range []string{"home", "transcript"} {
		_ = filepath.Walk(filepath.Join(s.work, left), func(path string, info os.FileInfo, err error) error {
			if err != nil || info.IsDir() || filepath.Base(path) == azAnswerFile || strings.HasSuffix(path, answerSuffix) {
				return nil
			}
			content, _ := os.ReadFile(path)
			if canary := s.cloud.FindCanary(string(content)); canary != "" {
				found = fmt.Sprintf("%s holds the secret %q", path, canary)
			}
			return nil
		})
	}
	return found
}
