// Figures measures the product's code, tests excluded: how much there is, and how many functions a cold and a cached get
// enter. For the latter it builds the program with coverage, and runs it against the fake Azure (on Linux).
package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

func main() {
	err := printSizes()
	if err == nil {
		err = printGets()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

// sizes are what is counted in the Go files of the product, tests excluded.
type sizes struct {
	lines, long, comments int
	functions             []int
	packages              map[string]int
}

func printSizes() error {
	s := sizes{packages: map[string]int{}}
	for _, dir := range []string{"credential-helper", "internal"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			return s.add(path)
		})
		if err != nil {
			return err
		}
	}
	slices.Sort(s.functions)
	n := len(s.functions)
	fmt.Printf("%d lines, %d with more than 120 columns, %d %% comments\n", s.lines, s.long, 100*s.comments/s.lines)
	fmt.Printf("%d functions of %d lines (median), %d (90 %%), %d (longest)\n",
		n, s.functions[n/2], s.functions[n*9/10], s.functions[n-1])
	fmt.Printf("%d packages; with more than 700 lines:\n", len(s.packages))
	for name, lines := range s.packages {
		if lines > 700 {
			fmt.Printf("  %s: %d\n", name, lines)
		}
	}
	return nil
}

func (s *sizes) add(path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(content) {
		s.lines++
		s.packages[filepath.Dir(path)]++
		if len([]rune(strings.TrimSuffix(string(line), "\n"))) > 120 {
			s.long++
		}
		if bytes.HasPrefix(bytes.TrimSpace(line), []byte("//")) {
			s.comments++
		}
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, content, 0)
	if err != nil {
		return err
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			s.functions = append(s.functions, files.Position(f.End()).Line-files.Position(f.Pos()).Line+1)
		}
	}
	return nil
}

// printGets runs a cold get and a cached one, as a service principal of the environment.
func printGets() error {
	const tenantID, clientID, password = "11111111-2222-3333-4444-555555555555", "7d1c0000-0000-4000-8000-00000000abcd", "s3cret"
	cloud, err := azuretest.New()
	if err != nil {
		return err
	}
	defer cloud.Close()
	tenant := cloud.AddTenant(tenantID)
	cloud.AddRegistry("contoso.azurecr.io", tenant).Grant(tenant.AddServicePrincipal(clientID, password), azuretest.AcrPull)
	dir, err := os.MkdirTemp("", "acr-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, root := filepath.Join(dir, "docker-credential-acr"), filepath.Join(dir, "root.pem")
	if err := cloud.WriteCA(root); err != nil {
		return err
	}
	build := exec.Command("go", "build", "-cover", "-coverpkg=./credential-helper/...,./internal/...", "-o", program,
		"./credential-helper/docker-credential-acr")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	for _, name := range []string{"cold", "cached"} {
		counters := filepath.Join(dir, name)
		if err := os.Mkdir(counters, 0o700); err != nil {
			return err
		}
		run := exec.Command(program, "get")
		run.Stdin = strings.NewReader("contoso.azurecr.io")
		run.Env = []string{
			"HOME=" + dir, "DOCKER_CREDENTIAL_ACR_HOME=" + filepath.Join(dir, "acr"), "DOCKER_CREDENTIAL_ACR_KEYRING=file",
			"AZURE_TENANT_ID=" + tenantID, "AZURE_CLIENT_ID=" + clientID, "AZURE_CLIENT_SECRET=" + password,
			"HTTPS_PROXY=" + cloud.StartProxy().URL(), "SSL_CERT_FILE=" + root, "GOCOVERDIR=" + counters,
		}
		if out, err := run.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		out, err := exec.Command("go", "tool", "covdata", "func", "-i="+counters).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		entered := 0
		for _, m := range regexp.MustCompile(`(?m)^\S+\.go:\d+:\s+\S+\s+([0-9.]+)%`).FindAllSubmatch(out, -1) {
			if string(m[1]) != "0.0" {
				entered++
			}
		}
		fmt.Printf("a %s get enters %d functions\n", name, entered)
	}
	return nil
}
