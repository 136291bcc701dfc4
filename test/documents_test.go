package test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// documents returns the Markdown files by their paths.
func documents(t *testing.T) map[string]string { return filesOf(t, ".md") }

// filesOf returns the repository's files with these extensions by their paths.
func filesOf(t *testing.T, extensions ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == ".git" || path == "bin" || path == "dist"):
			return fs.SkipDir
		case d.IsDir(), !slices.Contains(extensions, filepath.Ext(path)):
			return nil
		}
		content, err := fs.ReadFile(root, path)
		found[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```")
)

// TestDocuments_links checks that the files and headings exist that documents link to.
func TestDocuments_links(t *testing.T) {
	all, links := documents(t), 0
	for path, content := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(content, ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			links++
			target, anchor, _ := strings.Cut(m[1], "#")
			if target == "" {
				target = path
			} else {
				target = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: %s: %v", path, m[1], err)
			} else if anchor != "" && !slices.Contains(anchors(all[target]), anchor) {
				t.Errorf("%s: %s has no heading %q", path, target, anchor)
			}
		}
	}
	if links < 40 {
		t.Errorf("found only %d links", links)
	}
}

// anchors returns the anchors that GitHub gives to a document's headings.
func anchors(content string) (found []string) {
	dropped := regexp.MustCompile(`[^\p{L}\p{N}\- _]`)
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(content, ""), -1) {
		found = append(found, strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return found
}

// TestDocuments_name_codes_that_exist checks the codes of errors in other documents than their table.
func TestDocuments_name_codes_that_exist(t *testing.T) {
	all := documents(t)
	table := all["docs/codes.md"]
	code := regexp.MustCompile("`((?:http|entra|acr|keyring|signin|login|config|vault|delegate)-[a-z0-9-]+)`")
	for path, content := range all {
		for _, m := range code.FindAllStringSubmatch(content, -1) {
			isProgram := strings.HasPrefix(m[1], "acr-credential-provider")
			if path != "CHANGELOG.md" && !isProgram && !strings.Contains(table, "\n| "+m[0]+" |") {
				t.Errorf("%s: there is no code %s", path, m[1])
			}
		}
	}
}

// TestReadme_is_short keeps what not every user needs in docs.
func TestReadme_is_short(t *testing.T) {
	if words := len(strings.Fields(documents(t)["README.md"])); words > 1800 {
		t.Errorf("README.md has %d words", words)
	}
}

// TestSecurity_names_tests_that_exist checks the tests, scripts and directories that SECURITY.md names.
func TestSecurity_names_tests_that_exist(t *testing.T) {
	content, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	declaration := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, m := range declaration.FindAllSubmatch(source, -1) {
			tests[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`").FindAllStringSubmatch(string(content), -1)
	if len(named) < 15 {
		t.Errorf("SECURITY.md names only %d tests", len(named))
	}
	for _, m := range named {
		if !tests[m[1]] {
			t.Errorf("SECURITY.md: there is no %s", m[1])
		}
	}
	for _, m := range regexp.MustCompile("`((?:test|internal)/[^`]+)`").FindAllStringSubmatch(string(content), -1) {
		if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
			t.Errorf("SECURITY.md: %v", err)
		}
	}
}

// TestSecurity_lists_dependencies compares the table of modules with the list that TestLinked compares with the program.
func TestSecurity_lists_dependencies(t *testing.T) {
	list, err := os.ReadFile("linked.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := documents(t)["SECURITY.md"]
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(fields) < 3 {
			continue
		}
		row := "| " + fields[0] + " | " + fields[1] + " | " + strings.Join(fields[2:], " ") + " |\n"
		if !strings.Contains(table, row) {
			t.Errorf("SECURITY.md lacks the row %s", row)
		}
	}
	if rows, lines := strings.Count(table, "\n| github.com/"), strings.Count(string(list), "\ngithub.com/"); rows != lines {
		t.Errorf("SECURITY.md has %d modules of GitHub, linked.txt %d", rows, lines)
	}
}
