package devtool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const (
	audience    = "https://containerregistry.azure.net"
	tenant      = "11111111-2222-3333-4444-555555555555"
	otherTenant = "99999999-2222-3333-4444-555555555555"
	sub         = "aaaaaaaa-0000-4000-8000-000000000001"
)

// A way is one of the ways to a token.
type way func(Tools, context.Context, identity.Identity) (secret.Token, error)

var ways = map[string]way{"az": Tools.AzureCLI, "azd": Tools.AzureDeveloperCLI, "pwsh": Tools.AzurePowerShell}

// args are what each tool is called with, without further wishes.
func args(name string) []string {
	switch name {
	case "az":
		return []string{"account", "get-access-token", "--output", "json", "--resource", audience}
	case "azd":
		return []string{"auth", "token", "-o", "json", "--no-prompt", "--scope", audience + "/.default"}
	}
	return powerShellArgs("")
}

func powerShellArgs(tenant string) []string {
	return []string{"-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", fmt.Sprintf(accessTokenScript, exitNoModule, exitSignedOut, audience, tenant)}
}

// answers are what each tool prints for a token of an hour.
var answers = map[string]string{
	"az":   `{"accessToken":"` + canary + `","expiresOn":"2026-11-21 21:00:00.000000","expires_on":1795294800,"subscription":"` + sub + `","tenant":"` + tenant + `","tokenType":"Bearer"}`,
	"azd":  "{\n  \"token\": \"" + canary + "\",\n  \"expiresOn\": \"2026-11-21T21:00:00Z\"\n}\n",
	"pwsh": `{"Tenant":"` + tenant + `","ExpiresOn":1795294800,"Token":"` + canary + `"}`,
}

// describe names an error by code and sentence, and holds that no secret is in it.
func describe(t *testing.T, err error) string {
	t.Helper()
	var coded interface {
		error
		Code() string
	}
	switch {
	case err == nil:
		return ""
	case strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary):
		t.Error("an error quotes its tool")
	case errors.As(err, &coded):
		return coded.Code() + ": " + coded.Error()
	}
	return "uncoded: " + err.Error()
}

func TestTokens(t *testing.T) {
	asked := identity.Identity{Audience: audience, Tenant: tenant, AskTenant: true}
	for _, row := range []struct {
		tool string
		id   identity.Identity
		args []string
	}{
		{"az", identity.Identity{Audience: audience}, args("az")},
		{"az", identity.Identity{Audience: audience, Tenant: tenant}, args("az")},
		{"az", identity.Identity{Audience: audience, Tenant: strings.ToUpper(tenant)}, args("az")},
		{"az", asked, append(args("az"), "--tenant", tenant)},
		{"az", identity.Identity{Audience: audience, Tenant: "contoso.example", AskTenant: true}, append(args("az"), "--tenant", "contoso.example")},
		{"az", identity.Identity{Audience: audience, Tenant: tenant, Subscription: sub}, append(args("az"), "--subscription", sub)},
		{"az", identity.Identity{Audience: audience, Tenant: tenant, AskTenant: true, Subscription: sub}, append(args("az"), "--subscription", sub)},
		{"azd", identity.Identity{Audience: audience, Tenant: tenant}, args("azd")},
		{"azd", asked, append(args("azd"), "--tenant-id", tenant)},
		{"pwsh", identity.Identity{Audience: audience, Tenant: tenant}, args("pwsh")},
		{"pwsh", asked, powerShellArgs(tenant)},
	} {
		dir := install(t, map[string]recording{row.tool: {Args: row.args, Stdout: answers[row.tool], Stderr: "WARNING: noise\n"}})
		token, err := ways[row.tool](toolsIn(dir), t.Context(), row.id)
		if err != nil || token.Value.Reveal() != canary || !token.Issued.Equal(now) || !token.Expires.Equal(now.Add(time.Hour)) {
			t.Errorf("%s of %+v: %v, %v", row.tool, row.id, token.Expires, err)
		}
	}
}

func TestToolsThatAreMissing(t *testing.T) {
	for name, want := range map[string]string{"az": CodeAzMissing, "azd": CodeAzdMissing, "pwsh": CodePwshMissing} {
		_, err := ways[name](toolsIn(t.TempDir()), t.Context(), identity.Identity{Audience: audience})
		if got := describe(t, err); got != want+": "+name+" is not on PATH" {
			t.Error(got)
		}
	}
}

// TestNothingButNamesIsPassedOn has the tools answer whatever they are asked
// for, so that only what never reaches them is refused.
func TestNothingButNamesIsPassedOn(t *testing.T) {
	evil := []string{"", "-x", "--debug", "x y", "x'; Remove-Item *; '", "x\"", "x`x", "$(x)", "${x}", "%PATH%", "x&y", "x|y", "x^y", "x;y", "x\ny", "x’y", "é", "x/y", "x\x00y"}
	for name, get := range ways {
		dir := install(t, map[string]recording{name: {Args: args(name), Stdout: answers[name]}})
		var ids []identity.Identity
		for _, s := range evil {
			ids = append(ids, identity.Identity{Audience: "https://" + s}, identity.Identity{Audience: s}, identity.Identity{Audience: audience, AskTenant: true, Tenant: s})
			if s != "" {
				ids = append(ids, identity.Identity{Audience: audience, Subscription: s})
			}
		}
		ids = append(ids, identity.Identity{Audience: "http://containerregistry.azure.net"}, identity.Identity{Audience: audience, Subscription: "name"})
		for _, id := range ids {
			_, err := get(toolsIn(dir), t.Context(), id)
			if got := describe(t, err); !strings.HasPrefix(got, CodeToolArgument+": the ") {
				t.Errorf("%s of %q, %q, %q: %s", name, id.Audience, id.Tenant, id.Subscription, got)
			}
		}
		if noted := calls(t, dir, name); len(noted) > 0 {
			t.Errorf("%s ran %d times", name, len(noted))
		}
	}
}

func TestHowToolsRun(t *testing.T) {
	for name, get := range ways {
		dir := install(t, map[string]recording{name: {Args: args(name), Stdout: answers[name]}})
		if _, err := get(toolsIn(dir), t.Context(), identity.Identity{Audience: audience}); err != nil {
			t.Fatal(describe(t, err))
		}
		noted := calls(t, dir, name)
		if len(noted) != 1 {
			t.Fatalf("%s ran %d times", name, len(noted))
		}
		c := noted[0]
		if environ := strings.Join(c.Environ, "\n"); strings.Contains(environ, canary) || !strings.Contains(environ, "AZURE_CONFIG_DIR="+dir) {
			t.Errorf("%s has in its environment:\n%s", name, environ)
		}
		if runtime.GOOS != "windows" && (c.Dir != "/" || c.Stdin != "null") {
			t.Errorf("%s runs in %s with standard input %q", name, c.Dir, c.Stdin)
		}
	}
}

func TestParallelRuns(t *testing.T) {
	for name, get := range ways {
		dir := install(t, map[string]recording{name: {Args: args(name), Stdout: answers[name]}})
		tools := toolsIn(dir)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				token, err := get(tools, t.Context(), identity.Identity{Audience: audience, Tenant: tenant})
				if err != nil || token.Value.Reveal() != canary {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		all.Wait()
		if noted := calls(t, dir, name); len(noted) != 20 {
			t.Errorf("%s ran %d times", name, len(noted))
		}
	}
}

func TestEndlessTools(t *testing.T) {
	codes := map[string]string{"az": CodeAzTimeout, "azd": CodeAzdTimeout, "pwsh": CodePwshTimeout}
	for name, get := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := install(t, map[string]recording{name: {Args: args(name), Hang: true}})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			began := time.Now()
			_, err := get(toolsIn(dir), ctx, identity.Identity{Audience: audience})
			if got := describe(t, err); got != codes[name]+": "+name+" was not waited for any longer" || time.Since(began) > 10*time.Second {
				t.Errorf("%s after %v", got, time.Since(began))
			}
			for _, c := range calls(t, dir, name) {
				awaitEnd(t, c.Child)
			}
		})
	}
}

func TestAToolHasItsOwnTime(t *testing.T) {
	dir := install(t, map[string]recording{"az": {Hang: true}})
	short := azureCLI
	short.timeout = 300 * time.Millisecond
	_, err := toolsIn(dir).run(t.Context(), short)
	if got := describe(t, err); got != CodeAzTimeout+": az did not answer within 300ms" {
		t.Error(got)
	}
	// A whole get has 28 seconds, of which the exchange needs ten.
	for _, p := range []program{azureCLI, azureDeveloperCLI, powerShell()} {
		if p.timeout > 15*time.Second {
			t.Errorf("%s may take %v", p.product, p.timeout)
		}
	}
}

// TestAnAnswerCountsWithoutItsFamily is about tools that leave a child behind,
// which holds their pipes: an upload of telemetry, for example.
func TestAnAnswerCountsWithoutItsFamily(t *testing.T) {
	dir := install(t, map[string]recording{"azd": {Args: args("azd"), Stdout: answers["azd"], Orphan: true}})
	began := time.Now()
	token, err := toolsIn(dir).AzureDeveloperCLI(t.Context(), identity.Identity{Audience: audience})
	if err != nil || token.Value.Reveal() != canary || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	for _, c := range calls(t, dir, "azd") {
		if child, err := os.FindProcess(c.Child); err == nil {
			_ = child.Kill()
		}
	}
}

// awaitEnd waits until a process is no more, or no more than a zombie.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	for range 500 {
		status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if err != nil || strings.Contains(string(status), ") Z ") {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d still runs", pid)
}
