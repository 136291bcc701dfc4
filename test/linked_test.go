package test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLinked compares the modules in the program, for each system, with those that linked.txt has a reason for.
func TestLinked(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program three times")
	}
	list, err := os.ReadFile("linked.txt")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string][]string{} // by system
	for line := range strings.Lines(string(list)) {
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, "#"):
		case len(fields) < 3:
			t.Errorf("linked.txt has no reason: %s", line)
		default:
			for system := range strings.SplitSeq(strings.Replace(fields[1], "all", "linux,windows,darwin", 1), ",") {
				reasons[system] = append(reasons[system], fields[0])
			}
		}
	}
	for _, system := range []string{"linux", "windows", "darwin"} {
		program := build(t, system)
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		var linked []string
		for _, m := range info.Deps {
			linked = append(linked, m.Path)
			if !slices.Contains(reasons[system], m.Path) {
				t.Errorf("%s: %s is linked, and linked.txt has no reason for it", system, m.Path)
			}
			if m.Replace != nil {
				t.Errorf("%s: %s is replaced by %s", system, m.Path, m.Replace.Path)
			}
		}
		for _, path := range reasons[system] {
			if !slices.Contains(linked, path) {
				t.Errorf("%s: %s is in linked.txt, and not linked", system, path)
			}
		}
		browserIsUnused(t, system, program)
	}
}

// build builds the program with its symbols, and returns its path.
func build(t *testing.T, system string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), system)
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../credential-helper/docker-credential-acr")
	cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// browserIsUnused checks that the linker found no call of github.com/pkg/browser, which would give a browser the whole
// environment: of its functions the program has none but the package's initialization.
func browserIsUnused(t *testing.T, system, program string) {
	t.Helper()
	out, err := exec.Command("go", "tool", "nm", program).Output()
	if err != nil {
		t.Fatal(err)
	}
	const pkg = "github.com/pkg/browser."
	isLinked := false
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line) // address, type and name; an undefined symbol has no address
		if len(fields) < 3 || !strings.HasPrefix(fields[2], pkg) {
			continue
		}
		isLinked = true
		if name := strings.TrimPrefix(fields[2], pkg); strings.EqualFold(fields[1], "T") && name != "init" {
			t.Errorf("%s: %s%s is called", system, pkg, name)
		}
	}
	if !isLinked {
		t.Errorf("%s: there is no symbol of %s any more; take it off linked.txt", system, pkg)
	}
}
