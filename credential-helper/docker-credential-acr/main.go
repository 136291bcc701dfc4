// Docker-credential-acr is a Docker credential helper for Azure Container Registry.
package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/internal/firmware"
)

func main() {
	ctx, stop := cli.Interruptible(context.Background())
	defer stop()
	terminal, password, restore := cli.Terminal(os.Stdin)
	toTerminal, _, _ := cli.Terminal(os.Stdout)
	os.Exit(cli.Run(ctx, cli.World{
		Stdin: os.Stdin, Terminal: terminal, Password: password, Restore: restore, Stdout: os.Stdout, Stderr: os.Stderr, ToTerminal: toTerminal,
		Environ: os.Environ(), Transport: http.DefaultTransport, OnAzureVM: firmware.AzureVM, Now: time.Now, Exit: os.Exit,
		Resolve: net.DefaultResolver.LookupHost, Executable: os.Executable,
	}, os.Args[1:]))
}
