package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A fence is a fenced block of a document.
type fence struct {
	document string
	line     int
	language string
	file     string // the name in backquotes on the line above, if that is all of it
	text     string
}

// A language is how fences of it are checked. One with another language, or with
// none, is a mistake: it would never be checked.
type language struct {
	needs []string // programs
	check func(fence) error
}

var languages = map[string]language{
	"console":    {check: func(fence) error { return nil }},
	"text":       {check: func(fence) error { return nil }},
	"bash":       {[]string{"bash"}, checkShell},
	"sh":         {[]string{"bash"}, checkShell},
	"dockerfile": {nil, checkDockerfile},
	"go":         {nil, checkGo},
	"groovy":     {[]string{"groovy"}, checkJenkinsfile},
	"json":       {nil, checkJSON},
	"toml":       {nil, checkTOML},
	"yaml":       {[]string{"bash"}, checkYAML},
}

// recipes are the files that RECIPES.md must hold, so that none loses its own check
// by losing its name.
var recipes = []string{
	".github/workflows/build.yml", "azure-pipelines.yml", ".gitlab-ci.yml", "Jenkinsfile", "Dockerfile", "mirror.yaml",
	"credential-github.json", "credential-gitlab.json", "config.json",
}

// TestFences checks the syntax of whatever the documents tell to copy.
func TestFences(t *testing.T) {
	var files []string
	for _, document := range []string{"README.md", "RECIPES.md"} {
		for _, f := range fences(t, document) {
			if f.document == "RECIPES.md" {
				files = append(files, f.file)
			}
			t.Run(f.name(), func(t *testing.T) {
				if err := check(t, f); err != nil {
					t.Errorf("%s:%d: %v", f.document, f.line, err)
				}
			})
		}
	}
	for _, file := range recipes {
		if !slices.Contains(files, file) {
			t.Errorf("RECIPES.md has no fence below a line `%s`", file)
		}
	}
}

func check(t *testing.T, f fence) error {
	l, known := languages[f.language]
	if !known {
		return fmt.Errorf("nobody checks a fence in %q (none? say text)", f.language)
	}
	need(t, l.needs...)
	return l.check(f)
}

func (f fence) name() string {
	what := f.file
	if what == "" {
		what = f.language
	}
	return f.document + ":" + strings.ReplaceAll(what, "/", "∕")
}

var fileLine = regexp.MustCompile("^`([^` ]+)`:?$")

// fences reads the fenced blocks of a document. A block that isn't closed is an
// error: everything after it would be taken for its text.
func fences(t *testing.T, document string) (found []fence) {
	t.Helper()
	content, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	var current *fence
	var above string
	for i, line := range strings.Split(string(content), "\n") {
		language, mark := strings.CutPrefix(line, "```")
		switch {
		case mark && current == nil:
			current = &fence{document: document, line: i + 1, language: language}
			if m := fileLine.FindStringSubmatch(above); m != nil {
				current.file = m[1]
			}
		case mark:
			found, current = append(found, *current), nil
			above = ""
		case current != nil:
			current.text += line + "\n"
		case line != "":
			above = line
		}
	}
	if current != nil || len(found) == 0 {
		t.Fatalf("%s: a fence isn't closed, or there is none", document)
	}
	return found
}

// TestFenceChecksRefuse proves that the checks see mistakes, each with one that a
// reader would copy.
func TestFenceChecksRefuse(t *testing.T) {
	for _, f := range []fence{
		{language: "", text: "x"},
		{language: "sh", text: "if true; then echo\n"},
		{language: "json", text: `{"a": 1,}`},
		{language: "json", text: `{"a": 1, "a": 2}`},
		{language: "json", file: "credential-x.json", text: `{"name": "x", "issuer": "https://x", "subject": "s", "audience": ["a"]}`},
		{language: "toml", text: "a = [\n"},
		{language: "go", text: "x := \n"},
		{language: "dockerfile", text: "FORM scratch\n"},
		{language: "yaml", text: "a: 1\na: 2\n"},
		{language: "yaml", text: "run: |\n  if true; then\n"},
		{language: "yaml", file: ".github/workflows/x.yml", text: "on: push\njobs:\n  x:\n    runs-on: ubuntu-24.04\n    step: []\n"},
		{language: "yaml", file: "azure-pipelines.yml", text: "steps:\n  - task: AzureCLI\n"},
		{language: "yaml", file: ".gitlab-ci.yml", text: "stages: [s]\nx:\n  stage: s\n  script: [a]\n  id_token: {}\n"},
		{language: "yaml", file: ".gitlab-ci.yml", text: "stages: [s]\nimage:\n  stage: s\n  script: [a]\n"},
		{language: "yaml", text: "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    spec:\n      serviceAcountName: x\n"},
		{language: "groovy", text: "pipeline { agent any\n stages { stage('x') { step { sh 'x' } } } }\n"},
		{language: "groovy", text: "pipeline { agent any\n"},
	} {
		t.Run(f.name(), func(t *testing.T) {
			if check(t, f) == nil {
				t.Errorf("nobody minds %q", f.text)
			}
		})
	}
}
