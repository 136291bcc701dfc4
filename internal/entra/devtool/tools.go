// Package devtool gets access tokens from developer tools that somebody has
// signed in to.
package devtool

import (
	"context"
	"errors"
	"time"

	"github.com/docker-credential-acr/docker-credential-acr/internal/tool"
)

// Tools asks the developer tools that its user has installed.
type Tools struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Environ lists it, for the children to inherit the harmless part of.
	Environ func() []string
	// Now is the clock that tells an expired answer.
	Now func() time.Time
}

func (t Tools) runner() tool.Runner { return tool.Runner{Getenv: t.Getenv, Environ: t.Environ} }

// Find resolves a program to an absolute path through PATH; "" if there is none.
func (t Tools) Find(name string) string { return t.runner().Find(name) }

// locate finds the best of a program's names.
func (t Tools) locate(names []string) (name, path string) {
	for _, name := range names {
		if path := t.Find(name); path != "" {
			return name, path
		}
	}
	return names[0], ""
}

// run returns a program's standard output. The arguments must be validated:
// az is a batch file on Windows.
func (t Tools) run(ctx context.Context, p program, args ...string) ([]byte, error) {
	name, path := t.locate(p.names)
	if path == "" {
		return nil, &Error{name + " is not on PATH", p.missing}
	}
	out, err := t.runner().Run(ctx, tool.Command{Path: path, Args: args, Timeout: p.timeout})
	var stopped *tool.Error
	switch {
	case err == nil:
		return out, nil
	case errors.As(err, &stopped) && stopped.Late:
		return nil, &Error{name + " " + stopped.Why, p.late}
	case errors.As(err, &stopped):
		return nil, &Error{name + " " + stopped.Why, p.failed}
	}
	return nil, err
}
