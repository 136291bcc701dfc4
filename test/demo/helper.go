package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli"
	"github.com/docker-credential-acr/docker-credential-acr/test/azuretest"
)

const program = "docker-credential-acr"

// Where the helper finds the sandbox. The shipped program has no such variables:
// here it is this executable under its name, with another transport, because not
// every OS lets SSL_CERT_FILE say what to trust.
const (
	addressVar = "DEMO_SANDBOX_ADDRESS"
	rootVar    = "DEMO_SANDBOX_ROOT"
)

// helper is the program as its own main starts it, the transport aside.
func helper() int {
	root, err := os.ReadFile(os.Getenv(rootVar))
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: reading the sandbox's root certificate:", err)
		return 1
	}
	return cli.Run(context.Background(), cli.World{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(),
		Transport: azuretest.TransportTo(os.Getenv(addressVar), root), Now: time.Now,
	}, os.Args[1:])
}

// install puts this executable into a directory under the helper's name.
func install(target string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if os.Symlink(self, target) == nil {
		return nil
	}
	content, err := os.ReadFile(self) // on Windows, links take a privilege
	if err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o700)
}
