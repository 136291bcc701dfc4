package main

import (
	"fmt"
	"os"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const program = "docker-credential-acr"

// The address and root certificate of the fake Azure. The real program has no such variables; the demo's helper is this
// executable under another name, with another transport, because SSL_CERT_FILE has no effect on macOS and Windows.
const (
	addressVar = "DEMO_AZURE_ADDRESS"
	rootVar    = "DEMO_AZURE_ROOT"
)

// runHelper runs the program as its main does, with another transport.
func runHelper() int {
	root, err := os.ReadFile(os.Getenv(rootVar))
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: reading the root certificate:", err)
		return 1
	}
	return cli.Main(app.Env{
		Stderr: os.Stderr, Environ: os.Environ(), Now: time.Now, Parent: app.Parent,
		Transport: azuretest.TransportTo(os.Getenv(addressVar), root),
	}, os.Stdin, os.Stdout, os.Args)
}

// install makes this executable available as the helper.
func install(target string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if os.Symlink(self, target) == nil {
		return nil
	}
	content, err := os.ReadFile(self) // on Windows, links need a privilege
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o700)
}
