// Package test checks rules that the whole tree follows.
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

const (
	module  = "github.com/docker-credential-acr/docker-credential-acr/"
	sandbox = "test/azuretest"
)

// levels are the packages from top to bottom. A package imports only packages of lower levels. DIR/* stands for the
// packages below a directory that are not listed themselves.
var levels = [][]string{
	{"credential-helper/docker-credential-acr"},
	{"internal/cli"},
	{"internal/cli/*", "credential-helper"},
	{"internal/cli/cmdutil", "internal/cli/doctor/clients"},
	{"internal/cli/doctor/report", "internal/app", "internal/dockerconfig/edit"},
	{"internal/entra", "internal/exchange", "internal/delegate", "internal/dockerconfig", "internal/vault"},
	{"internal/entra/*", "internal/identity/selection", "internal/vault/keyspace", "internal/keystore"},
	{"internal/entra/authority", "internal/identity/*", "internal/keystore/*"},
	{"internal/identity", "internal/httpguard", "internal/kubelet"},
	{"internal/cli/screen", "internal/registry", "internal/safefile", "internal/subprocess"},
	{"internal/fault"},
	{"internal/azurevm", "internal/secret", "internal/text"},
}

// only says which packages alone may import something, and why.
var only = []struct {
	imported string
	by       []string
	because  string
}{
	{
		"github.com/AzureAD/",
		[]string{"internal/entra/clientcredential", "internal/entra/managedidentity", "internal/entra/user"},
		"MSAL's errors quote secrets, and these packages translate them",
	},
	{"github.com/zalando/go-keyring", []string{"internal/keystore"}, "its calls may hang; keystore bounds them"},
	{"github.com/godbus/dbus", []string{"internal/keystore/secretservice"}, "secretservice never opens a dialog"},
	{"github.com/gofrs/flock", []string{"internal/vault/keyspace"}, "locks have one order"},
	{"github.com/hashicorp/", []string{"internal/httpguard"}, "requests are retried in one place"},
	{"github.com/spf13/", []string{"internal/cli"}, "what clients run starts fast, and a library has no flags"},
	{
		"net/http",
		[]string{
			"credential-helper", "internal/app", "internal/cli/doctor", "internal/entra", "internal/exchange", "internal/httpguard",
		},
		"identity, registry, vault and keystore never use the network",
	},
	{"software.sslmate.com/", []string{"internal/entra/clientcredential"}, "certificates are read in one place"},
	{"github.com/youmark/", []string{"internal/entra/clientcredential"}, "certificates are read in one place"},
	{
		"os/exec",
		[]string{"internal/subprocess"},
		"other programs run in one place, without our secrets",
	},
}

// allows reports whether a list names a package, or a directory above it.
func allows(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(name string) bool {
		name = strings.TrimSuffix(name, "/")
		return pkg == name || strings.HasPrefix(pkg, name+"/")
	})
}

// level returns the level of a package, counted from the top; -1 for none. The longest name counts.
func level(pkg string) int {
	found, length := -1, 0
	for i, names := range levels {
		for _, name := range names {
			below, isDir := strings.CutSuffix(name, "*")
			if len(name) > length && (pkg == name || isDir && strings.HasPrefix(pkg, below)) {
				found, length = i, len(name)
			}
		}
	}
	return found
}

// imports maps each package of the product, and the sandbox, to what its files import for any operating system, tests
// excluded.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, dir := range []string{"credential-helper", "internal", sandbox} {
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

// walk visits the Go files below a directory, tests excluded.
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

func TestImports_point_down(t *testing.T) {
	for pkg, imported := range imports(t) {
		if pkg == sandbox {
			continue
		}
		if level(pkg) < 0 {
			t.Errorf("%s has no level", pkg)
		}
		for _, name := range imported {
			if below, ok := strings.CutPrefix(name, module); ok && level(below) <= level(pkg) {
				t.Errorf("%s may not import %s, which is not below it", pkg, below)
			}
		}
	}
}

func TestImports_only(t *testing.T) {
	for pkg, imported := range imports(t) {
		for _, rule := range only {
			if pkg == sandbox || allows(rule.by, pkg) || pkg == "credential-helper/docker-credential-acr" {
				continue
			}
			for _, name := range imported {
				if allows([]string{rule.imported}, name) {
					t.Errorf("%s may not import %s: %s", pkg, name, rule.because)
				}
			}
		}
	}
}

// TestSandbox_uses_only_the_standard_library keeps it usable by everyone.
func TestSandbox_uses_only_the_standard_library(t *testing.T) {
	for _, name := range imports(t)[sandbox] {
		if first, _, _ := strings.Cut(name, "/"); strings.Contains(first, ".") {
			t.Errorf("%s imports %s", sandbox, name)
		}
	}
}

// TestSource_opens_files_in_one_place finds files that are opened without the checks of package safefile.
func TestSource_opens_files_in_one_place(t *testing.T) {
	opens := regexp.MustCompile(`\bos\.(ReadFile|Open|OpenFile|Create)\(`)
	others := map[string]string{
		"internal/entra/user/owner_linux.go":        "a table of the kernel",
		"internal/entra/managedidentity/refusal.go": "opens a key of Azure Arc's agent, to say why it can't be read",
		"internal/azurevm/azurevm_linux.go":         "the kernel's view of the firmware",
	}
	walk(t, "internal", func(file string) {
		content, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		if found := opens.FindString(string(content)); found != "" && others[file] == "" && path.Dir(file) != "internal/safefile" {
			t.Errorf("%s uses %s instead of package safefile", file, found)
		}
	})
}

// TestSource_gets_the_outside_world_from_main finds reads of the environment, the clock and the standard streams outside
// the files that hand them down.
func TestSource_gets_the_outside_world_from_main(t *testing.T) {
	outside := regexp.MustCompile(`\b(os\.(Getenv|LookupEnv|Environ|Stdin|Stdout|Stderr|Args|Exit)|time\.Now|` +
		`http\.DefaultClient|http\.DefaultTransport)\b`)
	handsDown := []string{"credential-helper/docker-credential-acr/main.go", "credential-helper/options.go"}
	for _, dir := range []string{"credential-helper", "internal"} {
		walk(t, dir, func(file string) {
			content, err := os.ReadFile(filepath.Join("..", file))
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(content), "\n") {
				code, _, _ := strings.Cut(line, "//")
				if found := outside.FindString(code); found != "" && !slices.Contains(handsDown, file) {
					t.Errorf("%s:%d uses %s instead of what was handed in", file, i+1, found)
				}
			}
		})
	}
}

// TestSource_prints_in_one_place finds output that neither goes through package cmdutil nor through package text, which
// make names and words from outside the program safe for a terminal.
func TestSource_prints_in_one_place(t *testing.T) {
	prints := regexp.MustCompile(`\b\w+\.(Stdout|Stderr)\b|\bfmt\.Print`)
	places := []string{"internal/cli/cmdutil/cmdutil.go", "internal/cli/cmdutil/input.go", "internal/cli/cli.go", "internal/cli/serve.go"}
	for _, dir := range []string{"credential-helper", "internal"} {
		walk(t, dir, func(file string) {
			content, err := os.ReadFile(filepath.Join("..", file))
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(content), "\n") {
				code, _, _ := strings.Cut(line, "//")
				found := prints.FindString(code)
				isRead := found == "exit.Stderr" || strings.HasPrefix(found, "cmd.") // another program's
				isPassed := file == "credential-helper/docker-credential-acr/main.go" && found == "os.Stdout" || found == "os.Stderr"
				if found != "" && !isRead && !isPassed && !strings.Contains(code, "text.") && !slices.Contains(places, file) {
					t.Errorf("%s:%d uses %s instead of package cmdutil", file, i+1, found)
				}
			}
		})
	}
}
