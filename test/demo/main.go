// Demo shows the helper at work on a computer with Go and without Azure. A client logs in to a registry, pushes and
// pulls an image, and does so again after tokens have expired and after a client secret has changed.
//
//	go run ./test/demo
//
// Package azuretest stands in for Microsoft Entra and the registry, on loopback. The demo has its own home directory,
// configuration and vault, and deletes them at its end. Each step checks what it shows; the first that fails ends the
// demo with exit status 1.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	if strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe") == program {
		os.Exit(runHelper())
	}
	name := flag.String("client", "", "skopeo, podman or built-in; the default is the first that works here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *name); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run runs all steps and cleans up, also after an error.
func run(ctx context.Context, out io.Writer, clientName string) (err error) {
	start := time.Now()
	d, err := newDemo(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if d.client, err = d.chooseClient(clientName); err != nil {
		return err
	}
	for i, step := range d.steps() {
		fmt.Fprintf(out, "%d. %s\n\n", i+1, step.title)
		if err := step.run(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	fmt.Fprintf(out, "All checks passed in %.1f s. No secret was on disk as plaintext or sent to another host.\n",
		time.Since(start).Seconds())
	return nil
}
