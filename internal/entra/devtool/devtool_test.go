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
	"testing"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
)

const (
	audience    = "https://containerregistry.azure.net"
	tenant      = "1111aaaa-2222-3333-4444-555555555555"
	otherTenant = "99999999-2222-3333-4444-555555555555"
	sub         = "aaaaaaaa-0000-4000-8000-000000000001"
)

// kinds has the kind of identity for each tool.
var kinds = map[string]identity.Kind{
	"az": identity.AzureCLI, "azd": identity.AzureDeveloperCLI, "pwsh": identity.AzurePowerShell,
}

// accessToken asks the tools in a directory, of which the named one must be asked for an identity.
func accessToken(ctx context.Context, dir, name string, id identity.Identity) (secret.Token, error) {
	id.Kind = kinds[name]
	return toolsIn(dir).AccessToken(ctx, id)
}

// args returns the arguments of a tool, without options.
func args(name string) []string {
	switch name {
	case "az":
		return []string{"account", "get-access-token", "--output", "json", "--resource", audience}
	case "azd":
		return []string{"auth", "token", "-o", "json", "--no-prompt", "--scope", audience + "/.default"}
	}
	return scriptArgs("")
}

func scriptArgs(tenant string) []string {
	script := fmt.Sprintf(accessTokenScript, exitNoModule, exitSignedOut, audience, tenant)
	return []string{"-NoProfile", "-NonInteractive", "-OutputFormat", "Text", "-EncodedCommand", script}
}

// answers has what each tool prints for a token of one hour.
var answers = map[string]string{
	"az": `{"accessToken":"` + canary + `","expiresOn":"2026-11-21 21:00:00.000000","expires_on":1795294800,` +
		`"subscription":"` + sub + `","tenant":"` + tenant + `","tokenType":"Bearer"}`,
	"azd":  "{\n  \"token\": \"" + canary + "\",\n  \"expiresOn\": \"2026-11-21T21:00:00Z\"\n}\n",
	"pwsh": `{"Tenant":"` + tenant + `","ExpiresOn":1795294800,"Token":"` + canary + `"}`,
}

// codeOf returns the code of an error, in which no secret may be.
func codeOf(t *testing.T, err error) fault.Code {
	t.Helper()
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), canary) {
		t.Error("an error quotes the tool")
	}
	return fault.CodeOf(err)
}

// TestTools_AccessToken also checks what a tool inherits, and where it runs.
func TestTools_AccessToken(t *testing.T) {
	of := identity.Identity{Audience: audience, Tenant: tenant}
	ofSub := identity.Identity{Audience: audience, Tenant: tenant, Subscription: sub}
	ask := identity.Identity{Audience: audience, Tenant: tenant, AskTenant: true}
	askSub := identity.Identity{Audience: audience, Tenant: tenant, AskTenant: true, Subscription: sub}
	ofDomain := identity.Identity{Audience: audience, Tenant: "contoso.example", AskTenant: true}
	for _, row := range []struct {
		tool string
		id   identity.Identity
		args []string
	}{
		{"az", identity.Identity{Audience: audience}, args("az")},
		{"az", of, args("az")},
		{"az", identity.Identity{Audience: audience, Tenant: strings.ToUpper(tenant)}, args("az")},
		{"az", ask, append(args("az"), "--tenant", tenant)},
		{"az", ofDomain, append(args("az"), "--tenant", "contoso.example")},
		{"az", ofSub, append(args("az"), "--subscription", sub)},
		{"az", askSub, append(args("az"), "--subscription", sub)},
		{"azd", of, args("azd")},
		{"azd", ask, append(args("azd"), "--tenant-id", tenant)},
		{"pwsh", of, args("pwsh")},
		{"pwsh", ask, scriptArgs(tenant)},
	} {
		dir := install(t, map[string]recording{
			row.tool: {Args: row.args, Stdout: answers[row.tool], Stderr: "WARNING: noise\n"},
		})
		token, err := accessToken(t.Context(), dir, row.tool, row.id)
		if err != nil || token.Value.Reveal() != canary || !token.Issued.Equal(now) ||
			!token.Expires.Equal(now.Add(time.Hour)) {
			t.Errorf("%s of %+v: %v, %v", row.tool, row.id, token.Expires, err)
		}
		all := runs(t, dir, row.tool)
		if len(all) != 1 {
			t.Fatalf("%s of %+v: %d runs", row.tool, row.id, len(all))
		}
		environ := strings.Join(all[0].Environ, "\n")
		if strings.Contains(environ, canary) || !strings.Contains(environ, "AZURE_CONFIG_DIR="+dir) {
			t.Errorf("%s has in its environment:\n%s", row.tool, environ)
		}
		noColor := map[string]string{"az": "AZURE_CORE_NO_COLOR=1", "azd": "NO_COLOR=1"}[row.tool]
		if !strings.Contains(environ, noColor) {
			t.Errorf("%s lacks %s", row.tool, noColor)
		}
		if runtime.GOOS != "windows" && (all[0].Dir != "/" || all[0].Stdin != "null") {
			t.Errorf("%s runs in %s with standard input %q", row.tool, all[0].Dir, all[0].Stdin)
		}
	}
}

// Tools print more than their answer.
func TestTools_AccessToken_finds_the_object(t *testing.T) {
	const message = `{"type":"consoleMessage","timestamp":"2026-11-21T20:00:00Z","data":{"message":"token {update} available"}}`
	for _, noise := range []struct{ before, after string }{
		{"", "\x1b[0m"},
		{"\x1b[?1h\x1b[?1l", "\x1b[?1h"},
		{"\ufeff", "\r\n"},
		{"WARNING: {preview} {\r\n", "\n}"},
		{message + "\n", "\n" + message + "\n"},
		{strings.Repeat("{", 100), strings.Repeat("}", 100)},
	} {
		for name := range kinds {
			dir := install(t, map[string]recording{
				name: {Args: args(name), Stdout: noise.before + answers[name] + noise.after},
			})
			token, err := accessToken(t.Context(), dir, name, identity.Identity{Audience: audience, Tenant: tenant})
			if err != nil || token.Value.Reveal() != canary || !token.Expires.Equal(now.Add(time.Hour)) {
				t.Errorf("%s, %q: %v, %v", name, noise, token.Expires, err)
			}
		}
	}
}

// TestTools_AccessToken_canceled checks that callers learn who ended it.
func TestTools_AccessToken_canceled(t *testing.T) {
	for name := range kinds {
		dir := install(t, map[string]recording{name: {Args: args(name), Hang: true}})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		_, err := accessToken(ctx, dir, name, identity.Identity{Audience: audience})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTools_run_missing_tools(t *testing.T) {
	for name, code := range map[string]fault.Code{
		"az": fault.AzureCLIMissing, "azd": fault.AzdMissing, "pwsh": fault.PowerShellMissing,
	} {
		_, err := accessToken(t.Context(), t.TempDir(), name, identity.Identity{Audience: audience})
		if codeOf(t, err) != code || err.Error() != name+" is not on the PATH" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTool_requireNames has tools that would answer, so that an error means that they didn't run.
func TestTool_requireNames(t *testing.T) {
	evil := []string{
		"", "-x", "--debug", "x y", "x'; Remove-Item *; '", "x\"", "x`x", "$(x)", "${x}", "%PATH%", "x&y", "x|y", "x^y",
		"x;y", "x\ny", "x’y", "é", "x/y", "x\x00y",
	}
	ids := []identity.Identity{
		{Audience: "http://containerregistry.azure.net"}, {Audience: audience, Subscription: "name"},
	}
	for _, s := range evil {
		ids = append(ids, identity.Identity{Audience: "https://" + s}, identity.Identity{Audience: s},
			identity.Identity{Audience: audience, AskTenant: true, Tenant: s})
		if s != "" {
			ids = append(ids, identity.Identity{Audience: audience, Subscription: s})
		}
	}
	for name := range kinds {
		dir := install(t, map[string]recording{name: {Args: args(name), Stdout: answers[name]}})
		for _, id := range ids {
			_, err := accessToken(t.Context(), dir, name, id)
			if codeOf(t, err) != fault.ToolArgument {
				t.Errorf("%s of %q, %q, %q: %v", name, id.Audience, id.Tenant, id.Subscription, err)
			}
		}
		if n := len(runs(t, dir, name)); n > 0 {
			t.Errorf("%s ran %d times", name, n)
		}
	}
}

// TestTools_run_canceled cancels tools that hang: they end with their children.
func TestTools_run_canceled(t *testing.T) {
	for name, code := range map[string]fault.Code{
		"az": fault.AzureCLITimeout, "azd": fault.AzdTimeout, "pwsh": fault.PowerShellTimeout,
	} {
		dir := install(t, map[string]recording{name: {Args: args(name), Hang: true}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // wait until the tool hangs
			defer cancel()
			for t.Context().Err() == nil {
				if files, _ := filepath.Glob(filepath.Join(dir, runFiles(name))); len(files) > 0 {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		_, err := accessToken(ctx, dir, name, identity.Identity{Audience: audience})
		if codeOf(t, err) != code || err.Error() != name+" was canceled" {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range runs(t, dir, name) {
			waitForEnd(t, r.Child)
		}
	}
}

func TestTools_run_times_out(t *testing.T) {
	dir := install(t, map[string]recording{"az": {Args: args("az"), Hang: true}})
	short := azureCLI
	short.timeout = 300 * time.Millisecond
	_, err := toolsIn(dir).run(t.Context(), short, identity.Identity{Audience: audience})
	if codeOf(t, err) != fault.AzureCLITimeout || err.Error() != "az did not respond within 300ms" {
		t.Error(err)
	}
	// A whole get has 28 seconds, of which the exchange needs ten.
	for _, tool := range tools {
		if tool.timeout > 15*time.Second {
			t.Errorf("%s may take %v", tool.product, tool.timeout)
		}
	}
}

// TestTools_run_does_not_wait_for_children has a tool whose child keeps its pipes open: an upload of telemetry, for
// example.
func TestTools_run_does_not_wait_for_children(t *testing.T) {
	dir := install(t, map[string]recording{"azd": {Args: args("azd"), Stdout: answers["azd"], Orphan: true}})
	began := time.Now()
	token, err := accessToken(t.Context(), dir, "azd", identity.Identity{Audience: audience})
	if err != nil || token.Value.Reveal() != canary || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
	for _, r := range runs(t, dir, "azd") {
		if child, err := os.FindProcess(r.Child); err == nil {
			_ = child.Kill()
		}
	}
}

// waitForEnd waits until a process has ended; its parent may not have noticed yet.
func waitForEnd(t *testing.T, pid int) {
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
