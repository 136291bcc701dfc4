// Package devtool gets access tokens from developer tools that the user is signed in to.
package devtool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/entra/authority"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/subprocess"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Tools runs the developer tools that the user has installed.
type Tools struct {
	subprocess.Runner
	// Now is the clock that tells what has expired.
	Now func() time.Time
}

// A tool is what differs between developer tools.
type tool struct {
	product string   // how users know it
	names   []string // of the program, the best first
	timeout time.Duration
	login   string   // the command that it recommends to a user who isn't signed in
	environ []string // what it gets beside the variables that it inherits

	// args returns the arguments that ask for an access token.
	args func(identity.Identity) []string
	// parse reads the answer. A tool that doesn't say for which tenant it answered is
	// taken to have answered for this one.
	parse func(out []byte, tenant string) (answer, error)

	missing, signedOut, timedOut, failed, otherTenant fault.Code
	statuses                                          map[int]*fault.Error // what exit statuses mean; nil for nothing
}

// An answer is a tool's access token, and the tenant and the end that the tool states
// beside it.
type answer struct {
	token, tenant string
	expires       time.Time
}

// tools are the tools, by the kind of identity that is signed in to them.
var tools = map[identity.Kind]tool{
	identity.AzureCLI: azureCLI, identity.AzureDeveloperCLI: azd, identity.AzurePowerShell: powerShell,
}

// AccessToken asks the tool that an identity is signed in to, which renews its own token.
// One run takes Azure CLI half a second to three, azd one or two, and Azure PowerShell
// two to ten.
func (t Tools) AccessToken(ctx context.Context, id identity.Identity) (secret.Token, error) {
	tool := tools[id.Kind]
	out, err := t.run(ctx, tool, id)
	if err != nil {
		return secret.Token{}, err
	}
	a, err := tool.parse(out, id.Tenant)
	switch {
	case err != nil || a.token == "":
		return secret.Token{}, fault.New(tool.failed, "%s returned an invalid response", tool.product)
	case text.IsGUID(id.Tenant) && !strings.EqualFold(a.tenant, id.Tenant):
		return secret.Token{}, fault.New(tool.otherTenant, "%s returned a token for tenant %.36s instead of %s",
			tool.product, text.Line(a.tenant), id.Tenant)
	case !a.expires.After(t.Now()):
		return secret.Token{}, fault.New(tool.failed, "%s returned an expired token", tool.product)
	}
	return secret.Token{Value: secret.New(a.token), Issued: t.Now(), Expires: a.expires}, nil
}

// findObject decodes the first JSON object in a tool's output that isAnswer accepts. Tools
// print more around it: a byte order mark on Windows, control sequences for a terminal
// (PowerShell/PowerShell issue 26631), warnings, and azd messages that are objects, too.
func findObject[T any](out []byte, isAnswer func(T) bool) (T, error) {
	for range maxNoise {
		begin := bytes.IndexByte(out, '{')
		if begin < 0 {
			break
		}
		var said T
		out = out[begin:]
		decoder := json.NewDecoder(bytes.NewReader(out))
		err := decoder.Decode(&said)
		if err == nil && isAnswer(said) {
			return said, nil
		}
		out = out[max(1, decoder.InputOffset()):]
	}
	return *new(T), errors.New("no object")
}

// maxNoise limits how often the object is looked for.
const maxNoise = 1000

// run returns a tool's standard output.
func (t Tools) run(ctx context.Context, tool tool, id identity.Identity) ([]byte, error) {
	if err := tool.requireNames(id); err != nil {
		return nil, err
	}
	found := slices.IndexFunc(tool.names, func(name string) bool { return t.Find(name) != "" })
	if found < 0 {
		return nil, fault.New(tool.missing, "%s is not on the PATH", tool.names[0])
	}
	name := tool.names[found]
	out, err := t.Run(ctx, subprocess.Command{
		Path: t.Find(name), Args: tool.args(id), Inherits: toolVariables, Environ: tool.environ, Timeout: tool.timeout,
	})
	if exit, ok := errors.AsType[*subprocess.ExitError](err); ok {
		return nil, tool.explain(exit, id)
	}
	if stopped, ok := errors.AsType[*subprocess.Error](err); ok {
		code := tool.failed
		if stopped.TimedOut {
			code = tool.timedOut
		}
		return nil, &fault.Error{Code: code, Subject: name, Reason: stopped.Reason, Cause: stopped.Cause}
	}
	return out, err
}

// requireNames refuses values that are more than a name: they become part of a script, or
// arguments that cmd.exe reads, because az is a batch file on Windows.
func (t tool) requireNames(id identity.Identity) error {
	host, isHTTPS := strings.CutPrefix(id.Audience, "https://")
	switch {
	case !isHTTPS || !text.IsHostName(host):
		return fault.New(fault.ToolArgument, "the audience can't be passed to %s", t.product)
	case id.AskTenant && !text.IsHostName(id.Tenant):
		return fault.New(fault.ToolArgument, "the tenant can't be passed to %s", t.product)
	case id.Subscription != "" && !text.IsGUID(id.Subscription):
		return fault.New(fault.ToolArgument, "the subscription can't be passed to %s", t.product)
	}
	return nil
}

// explain reads a tool's error output: an AADSTS number, or its own advice to a user who
// isn't signed in. The number goes first, because tools print the same advice then.
func (t tool) explain(exit *subprocess.ExitError, id identity.Identity) error {
	number, known := authority.FindAADSTS(exit.Stderr), t.statuses[exit.Status]
	switch {
	case known != nil:
		return known
	case number != 0:
		return authority.Refusal{AADSTS: number}.Fault()
	case id.Subscription != "" && strings.Contains(exit.Stderr, id.Subscription):
		// az names a subscription only if it doesn't exist: it was deleted since the
		// profile was read, or az is another user's.
		return fault.New(fault.AzureCLISubscription, "%s has no subscription %s", t.product, id.Subscription)
	case strings.Contains(exit.Stderr, t.login):
		return fault.New(t.signedOut, "%s is not signed in", t.product)
	}
	return fault.New(t.failed, "%s failed with exit status %d", t.product, exit.Status)
}

// What developer tools and browsers inherit of the environment beside the basic variables:
// where the tools' files are, and which desktop there is. No secret is among them.
var (
	toolVariables = subprocess.Only(subprocess.Basic, subprocess.Variables{
		"AZURE_CONFIG_DIR", "AZURE_EXTENSION_DIR", "AZURE_CORE_*", "AZD_CONFIG_DIR",
		"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "PSModulePath", "POWERSHELL_*", "DOTNET_*",
	})
	browserVariables = subprocess.Only(subprocess.Basic, subprocess.Variables{
		"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "BROWSER", "WSL_*", "DESKTOP_SESSION", "KDE_*", "GNOME_*",
	})
)

// openers are the programs that open an address in the user's browser, by operating
// system; the first that exists is used.
var openers = map[string][][]string{
	"windows": {{"rundll32", "url.dll,FileProtocolHandler"}},
	"darwin":  {{"open"}},
	"":        {{"xdg-open"}, {"x-www-browser"}, {"www-browser"}, {"wslview"}}, // Linux and the BSDs
}

// Browse opens an address in the user's browser and doesn't wait for it. (Libraries for
// this give the browser our whole environment.)
func (t Tools) Browse(address string) error {
	candidates, ok := openers[runtime.GOOS]
	if !ok {
		candidates = openers[""]
	}
	for _, opener := range candidates {
		if path := t.Find(opener[0]); path != "" {
			return t.Start(path, browserVariables, append(opener[1:], address)...)
		}
	}
	return errors.New("no program that opens a browser was found")
}
