// Package test holds what is true of the tree as a whole.
package test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/docker-credential-acr/docker-credential-acr/"

// rooms lists who may import which packages of the module. Imports point down
// only; what isn't here is refused.
var rooms = map[string][]string{
	"credential-helper/docker-credential-acr": {"internal/cli", "internal/firmware"},
	"internal/cli": {
		"credential-helper", "internal/cli/configure", "internal/cli/desk", "internal/cli/doctor", "internal/cli/hint", "internal/cli/login", "internal/cli/logout", "internal/cli/mistype",
		"internal/cli/status", "internal/cli/token", "internal/cli/unlock", "internal/wiring",
	},
	"internal/cli/configure": {
		"internal/cli/desk", "internal/cli/mistype", "internal/clientconfig", "internal/clientconfig/atomicfile", "internal/delegate",
		"internal/identity", "internal/registry", "internal/secret", "internal/wiring",
	},
	"internal/cli/desk": {
		"credential-helper", "internal/cli/mistype", "internal/clientconfig", "internal/registry", "internal/secret", "internal/wiring",
	},
	"internal/cli/doctor": {
		"internal/failure", "credential-helper", "internal/cli/desk", "internal/cli/doctor/finding", "internal/cli/doctor/wired", "internal/cli/hint",
		"internal/cli/mistype", "internal/clientconfig", "internal/entra/machine", "internal/exchange", "internal/guard", "internal/identity", "internal/keyring", "internal/registry", "internal/secret", "internal/wiring",
	},
	"internal/cli/doctor/finding": {},
	"internal/cli/doctor/wired":   {"internal/cli/doctor/finding", "internal/cli/hint", "internal/clientconfig", "internal/clientconfig/atomicfile", "internal/registry"},
	"internal/cli/logout": {
		"internal/cli/desk", "internal/cli/mistype", "internal/delegate", "internal/identity", "internal/vault", "internal/wiring",
	},
	"internal/cli/login": {
		"credential-helper", "internal/cli/desk", "internal/cli/hint", "internal/cli/mistype", "internal/entra/assertion", "internal/entra/signin",
		"internal/identity", "internal/identity/config", "internal/registry", "internal/secret", "internal/wiring",
	},
	"internal/cli/mistype": {},
	"internal/cli/status": {
		"internal/failure", "credential-helper", "internal/cli/desk", "internal/cli/mistype", "internal/clientconfig", "internal/identity",
		"internal/identity/config", "internal/registry",
		"internal/vault", "internal/wiring",
	},
	"internal/cli/token": {
		"credential-helper", "internal/cli/desk", "internal/cli/mistype", "internal/exchange", "internal/identity", "internal/registry", "internal/vault",
	},
	"internal/cli/unlock": {"internal/cli/desk"},
	"internal/cli/hint": {
		"internal/failure", "credential-helper", "internal/clientconfig", "internal/clientconfig/atomicfile", "internal/delegate", "internal/entra/assertion", "internal/entra/authority",
		"internal/entra/devtool", "internal/entra/machine", "internal/entra/signin", "internal/exchange", "internal/guard", "internal/identity",
		"internal/keyring", "internal/vault",
	},
	"credential-helper": {
		"internal/entra/machine", "internal/exchange", "internal/firmware", "internal/identity", "internal/registry", "internal/secret",
		"internal/vault", "internal/wiring",
	},
	"internal/wiring": {
		"internal/delegate", "internal/entra", "internal/entra/devtool", "internal/exchange", "internal/identity", "internal/identity/choice", "internal/identity/config",
		"internal/keyring", "internal/registry", "internal/secret", "internal/tool", "internal/vault",
	},
	"internal/entra": {
		"internal/entra/assertion", "internal/entra/authority", "internal/entra/devtool", "internal/entra/machine", "internal/entra/signin",
		"internal/identity", "internal/registry", "internal/secret",
	},
	"internal/entra/assertion":   {"internal/failure", "internal/entra/authority", "internal/guard", "internal/identity", "internal/registry", "internal/secret"},
	"internal/entra/authority":   {"internal/guard"},
	"internal/entra/devtool":     {"internal/entra/authority", "internal/identity", "internal/secret", "internal/tool"},
	"internal/entra/machine":     {"internal/failure", "internal/entra/authority", "internal/guard", "internal/identity", "internal/secret"},
	"internal/entra/signin/door": {},
	"internal/entra/signin":      {"internal/entra/authority", "internal/entra/signin/door", "internal/guard", "internal/identity", "internal/registry", "internal/secret"},
	"internal/exchange":          {"internal/guard", "internal/registry", "internal/secret"},
	"internal/vault":             {"internal/failure", "internal/identity", "internal/owner", "internal/registry", "internal/secret", "internal/vault/sealed"},
	"internal/vault/sealed":      {"internal/identity", "internal/owner", "internal/secret"},
	"internal/identity/choice": {
		"internal/identity", "internal/identity/config", "internal/identity/profile", "internal/identity/proof", "internal/registry",
	},
	"internal/identity/proof":          {"internal/identity", "internal/owner", "internal/secret"},
	"internal/identity/config":         {"internal/identity", "internal/owner", "internal/registry"},
	"internal/identity/profile":        {"internal/identity", "internal/owner"},
	"internal/identity":                {"internal/secret"},
	"internal/delegate":                {"internal/secret", "internal/tool"},
	"internal/tool":                    {"internal/secret"},
	"internal/keyring":                 {"internal/owner"},
	"internal/clientconfig":            {"internal/clientconfig/atomicfile", "internal/clientconfig/layout", "internal/owner", "internal/registry", "internal/secret"},
	"internal/clientconfig/layout":     {},
	"internal/clientconfig/atomicfile": {"internal/owner"},
	"internal/failure":                 {},
	"internal/firmware":                {},
	"internal/guard":                   {},
	"internal/owner":                   {},
	"internal/registry":                {},
	"internal/secret":                  {},
	"test/azuretest":                   {},
}

// only says which packages alone may import something, and why.
var only = []struct {
	imported string
	by       []string
	because  string
}{
	{"github.com/AzureAD/", []string{"internal/entra", "internal/entra/assertion", "internal/entra/machine", "internal/entra/signin"}, "MSAL's errors quote secrets, and only entra and its rooms translate them"},
	{"github.com/zalando/go-keyring", []string{"internal/keyring"}, "its reads prompt and never end; only keyring bounds them"},
	{"github.com/godbus/dbus", []string{"internal/keyring"}, "the Secret Service is a matter of keyring"},
	{"github.com/gofrs/flock", []string{"internal/vault/sealed"}, "locks protect the vault's entries and nothing else"},
	{"github.com/hashicorp/", []string{"internal/guard"}, "requests are repeated in one place"},
	{
		"net/http",
		[]string{
			"credential-helper", "credential-helper/docker-credential-acr", "internal/cli", "internal/cli/desk", "internal/wiring", "internal/exchange", "internal/guard",
			"internal/entra", "internal/entra/assertion", "internal/entra/authority", "internal/entra/machine", "internal/entra/signin", "internal/entra/signin/door",
		},
		"identity, registry, secret, vault and keyring never reach the network",
	},
	{"software.sslmate.com/", []string{"internal/entra/assertion"}, "certificates are opened in one place"},
	{"github.com/youmark/", []string{"internal/entra/assertion"}, "certificates are opened in one place"},
	{"os/exec", []string{"internal/tool", "internal/keyring"}, "children run in one place, without our secrets; keyring only knows an exit code of theirs"},
}

// imports maps each package of the product, and the sandbox, to what its files
// import for any operating system; tests left out.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, dir := range []string{"credential-helper", "internal", "test/azuretest"} {
		walk(t, dir, func(file string) {
			parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", file), nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range parsed.Imports {
				name, _ := strconv.Unquote(spec.Path.Value)
				found[path.Dir(file)] = append(found[path.Dir(file)], strings.TrimSuffix(name, "/"))
			}
		})
	}
	return found
}

// walk visits the Go files below a directory, tests left out.
func walk(t *testing.T, dir string, visit func(file string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(".."), dir, func(file string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, "_test.go") {
			visit(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestImportsPointDown(t *testing.T) {
	for room, imported := range imports(t) {
		allowed, known := rooms[room]
		if !known {
			t.Errorf("%s: a room that the table doesn't know", room)
		}
		for _, name := range imported {
			if inner, ok := strings.CutPrefix(name+"/", module); ok && !slices.Contains(allowed, strings.TrimSuffix(inner, "/")) {
				t.Errorf("%s may not import %s", room, strings.TrimSuffix(inner, "/"))
			}
		}
	}
}

func TestWhoMayImportWhat(t *testing.T) {
	for room, imported := range imports(t) {
		if room == "test/azuretest" {
			continue
		}
		for _, rule := range only {
			for _, name := range imported {
				if (name == rule.imported || strings.HasPrefix(name, strings.TrimSuffix(rule.imported, "/")+"/")) && !slices.Contains(rule.by, room) {
					t.Errorf("%s may not import %s, because %s", room, name, rule.because)
				}
			}
		}
	}
}

// TestTheSandboxIsStandardLibraryOnly keeps it usable by anybody.
func TestTheSandboxIsStandardLibraryOnly(t *testing.T) {
	for _, name := range imports(t)["test/azuretest"] {
		if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
			t.Errorf("test/azuretest imports %s", name)
		}
	}
}

// TestTheWorldIsHandedIn finds reads of the environment, the clock and standard
// streams outside the places that hand them down.
func TestTheWorldIsHandedIn(t *testing.T) {
	outside := regexp.MustCompile(`\b(os\.Getenv|os\.LookupEnv|os\.Environ|os\.Stdin|os\.Stdout|os\.Stderr|os\.Args|os\.Exit|time\.Now|http\.DefaultClient|http\.DefaultTransport)\b`)
	handsDown := map[string]string{
		"credential-helper/docker-credential-acr/main.go": "the program's World",
		"credential-helper/options.go":                    "a library's defaults",
	}
	for _, dir := range []string{"credential-helper", "internal"} {
		walk(t, dir, func(file string) {
			content, err := os.ReadFile(filepath.Join("..", file))
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(content), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if found := outside.FindString(code); found != "" && handsDown[file] == "" {
					t.Errorf("%s:%d uses %s instead of what was handed in", file, i+1, found)
				}
			}
		})
	}
}

func TestMainIsShort(t *testing.T) {
	content, err := os.ReadFile("../credential-helper/docker-credential-acr/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(content), "\n"); lines > 25 {
		t.Errorf("main.go has %d lines", lines)
	}
}
