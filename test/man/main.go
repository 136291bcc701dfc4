// Man writes the manual pages of the commands into bin/man.
package main

import (
	"fmt"
	"os"

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
		err = doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: cmdutil.Program}, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "man:", err)
		os.Exit(1)
	}
	fmt.Println("written to", dir)
}
