// Docker-credential-acr is a Docker credential helper for Azure Container Registry.
package main

import (
	"context"
	"net/http"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
)

func main() {
	ctx, stop := cli.Interruptible(context.Background())
	defer stop()
	os.Exit(cli.Run(ctx, cli.World{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Terminal: term.IsTerminal(int(os.Stdin.Fd())),
		Environ: os.Environ(), Transport: http.DefaultTransport, Now: time.Now, Exit: os.Exit,
	}, os.Args[1:]))
}
