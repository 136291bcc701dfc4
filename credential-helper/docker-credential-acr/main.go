// Docker-credential-acr is a Docker credential helper for Azure Container Registry.
package main

import (
	"net"
	"net/http"
	"os"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/azurevm"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
)

func main() {
	forbidDumps()
	os.Exit(cli.Main(app.Env{
		Stderr: os.Stderr, Environ: os.Environ(), Transport: http.DefaultTransport, OnAzureVM: azurevm.Detect,
		MachineID:  azurevm.MachineID,
		Parent:     app.Parent,
		LookupHost: net.DefaultResolver.LookupHost, Executable: os.Executable, Now: time.Now, Exit: os.Exit,
	}, os.Stdin, os.Stdout, os.Args))
}
