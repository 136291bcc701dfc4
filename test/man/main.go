// Man writes the manual pages of the commands into bin/man.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
)

const dir = "bin/man"

func main() {
	root := cli.Root(cmdutil.Env{})
	root.DisableAutoGenTag = true // pages of the same program are the same
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = write(root)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
	fmt.Println("written to", dir)
}

// write writes the page of a command, and those of its commands.
func write(c *cobra.Command) error {
	page, err := page(c)
	if err != nil {
		return err
	}
	name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
	if err := os.WriteFile(filepath.Join(dir, name), page, 0o644); err != nil {
		return err
	}
	for _, sub := range c.Commands() {
		if !sub.IsAvailableCommand() {
			continue
		}
		if err := write(sub); err != nil {
			return err
		}
	}
	return nil
}

// page is cobra's page with the sections that all commands have, in the usual order.
func page(c *cobra.Command) ([]byte, error) {
	var b bytes.Buffer
	if err := doc.GenMan(c, &doc.GenManHeader{Section: "1", Source: cmdutil.Program}, &b); err != nil {
		return nil, err
	}
	content := heading.ReplaceAllLiteralString(strings.ReplaceAll(b.String(), "\t", "    "), title(c))
	text, seeAlso, hasSeeAlso := strings.Cut(content, ".SH SEE ALSO")
	text += section("EXIT STATUS", cli.ExitStatus) + section("ENVIRONMENT", cli.Environment) + section("FILES", cli.Files)
	if hasSeeAlso {
		text += ".SH SEE ALSO" + seeAlso
	}
	return []byte(text), nil
}

// heading is the line with a page's name, section and date.
var heading = regexp.MustCompile(`(?m)^\.TH .*$`)

// title returns that line. Its date, which cobra writes in a form that mandoc doesn't read,
// is that of the commit, as make says.
func title(c *cobra.Command) string {
	day := time.Now()
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		day = time.Unix(seconds, 0)
	}
	name := strings.ToUpper(strings.ReplaceAll(c.CommandPath(), " ", "-"))
	return fmt.Sprintf(".TH %q 1 %q %q", name, day.UTC().Format(time.DateOnly), cmdutil.Program)
}

// section is a list of names and what they mean. Roff reads a hyphen as a dash.
func section(title string, pairs [][2]string) string {
	escape := strings.NewReplacer(`\`, `\\`, "-", `\-`).Replace
	text := ".SH " + title + "\n"
	for _, p := range pairs {
		text += ".TP\n\\fB" + escape(p[0]) + "\\fP\n" + escape(p[1]) + "\n"
	}
	return text
}
