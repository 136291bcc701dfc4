package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
)

// everyCommand is the tree of commands, without its root.
func everyCommand(c *cobra.Command) (all []*cobra.Command) {
	for _, sub := range c.Commands() {
		if !sub.Hidden {
			all = append(append(all, sub), everyCommand(sub)...)
		}
	}
	return all
}

// TestHelp proves that every help text fits the width of a terminal as it opens, has usage
// and examples, and describes every flag.
func TestHelp(t *testing.T) {
	root := Root(cmdutil.Env{})
	all := everyCommand(root)
	if len(all) < 13 {
		t.Fatalf("only %d commands", len(all))
	}
	for _, c := range append(all, root) {
		text := help(c)
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > helpWidth {
				t.Errorf("%s: %d columns: %s", c.CommandPath(), n, line)
			}
		}
		if !strings.Contains(text, "\n\nUsage:\n  "+c.CommandPath()) {
			t.Errorf("%s: no usage", c.CommandPath())
		}
		_, examples, _ := strings.Cut(text, "\n\nExamples:\n")
		examples, _, _ = strings.Cut(examples, ":\n")
		if n := strings.Count(examples, "\n  # ") + 1; n > 5 || !strings.Contains(examples, c.CommandPath()) {
			t.Errorf("%s: %d examples:\n%s", c.CommandPath(), n, examples)
		}
		if first := c.Short[:1]; first != strings.ToUpper(first) || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: %q", c.CommandPath(), c.Short)
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(text, "--"+f.Name) {
				t.Errorf("%s: nothing of --%s", c.CommandPath(), f.Name)
			}
		})
	}
}

func TestHelp_command(t *testing.T) {
	const refusal = `docker-credential-acr: unknown command "nonsense"; see: docker-credential-acr --help` + "\n"
	status, stdout, stderr := run(t, strings.NewReader(""), false, "help", "nonsense")
	if status != 2 || stdout != "" || stderr != refusal {
		t.Errorf("%d, %q, %q", status, stdout, stderr)
	}
	for args, first := range map[string]string{
		"help": "Get credentials for Azure", "help status": "Show which identity",
		"help completion zsh": "Print completions for zsh.",
	} {
		status, stdout, stderr := run(t, strings.NewReader(""), false, strings.Fields(args)...)
		if status != 0 || !strings.HasPrefix(stdout, first) || stderr != "" {
			t.Errorf("%s: %d, %q, %q", args, status, stdout, stderr)
		}
	}
}

// TestDocuments_name_commands_and_flags_that_exist checks documents and advice.
func TestDocuments_name_commands_and_flags_that_exist(t *testing.T) {
	root := Root(cmdutil.Env{})
	mentioned := regexp.MustCompile(program + " ([a-z][^`\\n|;&<>)#]*)")
	found := 0
	documents, _ := filepath.Glob("../../*.md")
	more, _ := filepath.Glob("../../docs/*.md")
	for _, document := range append(documents, more...) {
		content, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mentioned.FindAllStringSubmatch(string(content), -1) {
			words := strings.Fields(strings.NewReplacer(",", " ", "\"", " ", "'", " ").Replace(m[1]))
			if slices.Contains(append(protocol, "version", "build", "into", "itself", "stored", "is", "process"), words[0]) {
				continue // what clients run, and a directory and a program of this name
			}
			c, _, err := root.Find(words)
			if err != nil || c == root {
				t.Errorf("%s: there is no %q", document, m[0])
				continue
			}
			found++
			c.InitDefaultHelpFlag()
			for _, word := range words {
				if word == "az" {
					break // another program
				}
				if name, isFlag := strings.CutPrefix(strings.TrimRight(word, ".:"), "--"); isFlag && c.Flag(name) == nil {
					t.Errorf("%s: %q has no --%s", document, m[0], name)
				}
			}
		}
	}
	if found < 60 {
		t.Errorf("only %d commands were found", found)
	}
}

func TestRun_without_a_command(t *testing.T) {
	const refusal = "docker-credential-acr: no command given; see: docker-credential-acr --help\n"
	for _, arg := range []string{"--", "--help=false"} {
		if status, _, stderr := run(t, strings.NewReader(""), false, arg); status != 2 || stderr != refusal {
			t.Errorf("%s: %d, %q", arg, status, stderr)
		}
	}
}
