// Licenses prints the licenses of everything that is linked into the program, for any of
// the systems that a release has. It fails if one of them is not in the list of those that
// the project accepts.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

const (
	root    = "../.." // of the main module
	program = "./credential-helper/docker-credential-acr"
)

// accepted are the licenses of dependencies, as SPDX names them. MPL-2.0 asks for the source
// of the files that have it, which the preamble says where to find; GooglePatentsFile is a
// grant in addition to a license. All others ask only for their text.
var accepted = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "GooglePatentsFile", "ISC", "MIT", "MPL-2.0",
}

// A part is a module, or Go's standard library.
type part struct{ name, version, dir string }

func main() {
	parts, err := linked()
	if err == nil {
		err = write(parts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// linked returns the parts of the program, for all systems. Each system links some of its
// own, whatever the processor.
func linked() ([]part, error) {
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	parts := []part{{"Go standard library", runtime.Version(), strings.TrimSpace(string(goroot))}}
	for _, system := range []string{"linux", "darwin", "windows", "freebsd"} {
		const format = "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}"
		list := exec.Command("go", "list", "-deps", "-f", format, program)
		list.Dir, list.Stderr = root, os.Stderr
		list.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
		out, err := list.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w", system, err)
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Fields(line); len(f) == 3 {
				parts = append(parts, part{f[0], f[1], f[2]})
			}
		}
	}
	slices.SortFunc(parts[1:], func(a, b part) int { return strings.Compare(a.name, b.name) })
	return slices.Compact(parts), nil
}

const preamble = `docker-credential-acr is made of the parts below, besides its own source. None of them was
changed. The source of each is at https://pkg.go.dev/NAME@VERSION, for its lifetime.
`

// licenseFile is the name of a file with a license or a notice, which Apache-2.0 wants to be
// passed on.
var licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

func write(parts []part) error {
	var out bytes.Buffer
	out.WriteString(preamble)
	for _, p := range parts {
		texts, names, err := p.licenses()
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		fmt.Fprintf(&out, "\n%s\n%s %s (%s)\n%[1]s\n%[5]s", strings.Repeat("=", 80), p.name, p.version,
			strings.Join(names, ", "), texts)
	}
	_, err := os.Stdout.Write(out.Bytes())
	return err
}

// licenses returns the texts of a part's licenses and notices, and the licenses' names.
func (p part) licenses() (texts string, names []string, err error) {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return "", nil, err
	}
	for _, e := range entries {
		if e.IsDir() || !licenseFile.MatchString(e.Name()) {
			continue
		}
		content, err := os.ReadFile(filepath.Join(p.dir, e.Name()))
		if err != nil {
			return "", nil, err
		}
		texts += "\n" + strings.TrimSpace(string(content)) + "\n"
		for _, m := range licensecheck.Scan(content).Match {
			if m.IsURL {
				continue
			}
			if !slices.Contains(accepted, m.ID) {
				return "", nil, fmt.Errorf("%s has the license %s, which is not in the list", e.Name(), m.ID)
			}
			names = append(names, m.ID)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		err = fmt.Errorf("no known license in %s", p.dir)
	}
	return texts, names, err
}
