// Demo shows the helper at work, on a machine with Go and without Azure: a
// client signs in to a registry, pushes, pulls, and does so again when tokens
// have ended and when a secret has been rotated.
//
//	go run ./test/demo
//
// Microsoft Entra and the registry are package azuretest's, on loopback. Home
// directory, configuration and vault are scratch ones, deleted at the end. Every
// step checks what it claims; the exit status is 1 as soon as one doesn't hold.
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
		os.Exit(helper())
	}
	choice := flag.String("client", "", "skopeo, podman or built-in; the default is the first that works here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *choice); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run tells the story and takes the stage down, however it ended.
func run(ctx context.Context, out io.Writer, choice string) (err error) {
	began := time.Now()
	s, err := newStage(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.client, err = chooseClient(s, choice); err != nil {
		return err
	}
	for i, step := range story(s) {
		fmt.Fprintf(out, "%d. %s\n\n", i+1, step.title)
		if err := step.play(); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	fmt.Fprintf(out, "All of it held, in %.1f s. No secret was seen in clear on disk, or by any other host.\n",
		time.Since(began).Seconds())
	return nil
}
