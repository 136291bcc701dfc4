package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A codeBlock is a fenced code block of a document.
type codeBlock struct {
	document string
	line     int
	language string
	file     string // the name in backquotes on the line above, if the line has nothing else
	text     string
}

// A language says how its code blocks are checked. A block without a language, or with another one, is an error.
type language struct {
	tools []string
	check func(codeBlock) error
}

var languages = map[string]language{
	"console":    {check: func(codeBlock) error { return nil }},
	"text":       {check: func(codeBlock) error { return nil }},
	"mermaid":    {check: func(codeBlock) error { return nil }}, // GitHub draws it
	"bash":       {[]string{"bash"}, checkShell},
	"sh":         {[]string{"bash"}, checkShell},
	"dockerfile": {nil, checkDockerfile},
	"go":         {nil, checkGo},
	"groovy":     {[]string{"groovy"}, checkJenkinsfile},
	"json":       {nil, checkJSON},
	"toml":       {nil, checkTOML},
	"yaml":       {[]string{"bash"}, checkYAML},
}

// recipeFiles are the files in docs/ci.md. The name of a file selects its check, so a file must not lose its name.
var recipeFiles = []string{
	".github/workflows/build.yml", "azure-pipelines.yml", ".gitlab-ci.yml", "Jenkinsfile", "Dockerfile", "mirror.yaml",
	"credential-github.json", "credential-gitlab.json", "config.json",
}

// TestCodeBlocks checks the syntax of every code block that readers may copy.
func TestCodeBlocks(t *testing.T) {
	var files []string
	for _, document := range documents(t) {
		for _, b := range codeBlocks(t, document) {
			if b.document == "docs/ci.md" {
				files = append(files, b.file)
			}
			t.Run(b.name(), func(t *testing.T) {
				if err := b.check(t); err != nil {
					t.Errorf("%s:%d: %v", b.document, b.line, err)
				}
			})
		}
	}
	for _, file := range recipeFiles {
		if !slices.Contains(files, file) {
			t.Errorf("docs/ci.md has no code block below a line `%s`", file)
		}
	}
}

func (b codeBlock) check(t *testing.T) error {
	l, known := languages[b.language]
	if !known {
		return fmt.Errorf("there is no check for the language %q (use text for none)", b.language)
	}
	requireTools(t, l.tools...)
	return l.check(b)
}

func (b codeBlock) name() string {
	name := b.file
	if name == "" {
		name = b.language
	}
	return b.document + ":" + strings.ReplaceAll(name, "/", "∕")
}

var fileLine = regexp.MustCompile("^`([^` ]+)`:?$")

// codeBlocks returns the fenced code blocks of a document.
func codeBlocks(t *testing.T, document string) (found []codeBlock) {
	t.Helper()
	content, err := os.ReadFile("../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	var current *codeBlock
	var above string
	for i, line := range strings.Split(string(content), "\n") {
		language, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && current == nil:
			current = &codeBlock{document: document, line: i + 1, language: language}
			if m := fileLine.FindStringSubmatch(above); m != nil {
				current.file = m[1]
			}
		case isFence:
			found, current = append(found, *current), nil
			above = ""
		case current != nil:
			current.text += line + "\n"
		case line != "":
			above = line
		}
	}
	if current != nil {
		t.Fatalf("%s: a code block is not closed", document)
	}
	return found
}

// documents returns the documents of the repository, with README.md first.
func documents(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(found) < 8 {
		t.Fatalf("%d documents, %v", len(found), err)
	}
	all := []string{"README.md", "CONTRIBUTING.md"}
	for _, path := range found {
		all = append(all, "docs/"+filepath.Base(path))
	}
	return all
}

// TestCodeBlock_check_finds_mistakes gives each check a mistake.
func TestCodeBlock_check_finds_mistakes(t *testing.T) {
	const workflow = "on: push\njobs:\n  x:\n    runs-on: ubuntu-24.04\n    step: []\n"
	const credential = `{"name": "x", "issuer": "https://x", "subject": "s", "audience": ["a"]}`
	const gitlabJob = "stages: [s]\nx:\n  stage: s\n  script: [a]\n  id_token: {}\n"
	const job = "apiVersion: batch/v1\nkind: Job\nspec:\n  template:\n    spec:\n      serviceAcountName: x\n"
	for _, b := range []codeBlock{
		{language: "", text: "x"},
		{language: "sh", text: "if true; then echo\n"},
		{language: "json", text: `{"a": 1,}`},
		{language: "json", text: `{"a": 1, "a": 2}`},
		{language: "json", file: "credential-x.json", text: credential},
		{language: "toml", text: "a = [\n"},
		{language: "go", text: "x := \n"},
		{language: "dockerfile", text: "FORM scratch\n"},
		{language: "yaml", text: "a: 1\na: 2\n"},
		{language: "yaml", text: "run: |\n  if true; then\n"},
		{language: "yaml", file: ".github/workflows/x.yml", text: workflow},
		{language: "yaml", file: "azure-pipelines.yml", text: "steps:\n  - task: AzureCLI\n"},
		{language: "yaml", file: ".gitlab-ci.yml", text: gitlabJob},
		{language: "yaml", file: ".gitlab-ci.yml", text: "stages: [s]\nimage:\n  stage: s\n  script: [a]\n"},
		{language: "yaml", text: job},
		{language: "groovy", text: "pipeline { agent any\n stages { stage('x') { step { sh 'x' } } } }\n"},
		{language: "groovy", text: "pipeline { agent any\n"},
	} {
		t.Run(b.name(), func(t *testing.T) {
			if b.check(t) == nil {
				t.Errorf("the check finds no mistake in %q", b.text)
			}
		})
	}
}
