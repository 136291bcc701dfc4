// Package desk is what the commands that people type have in common: what they touch
// outside themselves, and how they read a registry.
package desk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	credhelper "github.com/docker-credential-acr/docker-credential-acr/credential-helper"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// Program is what the user calls us.
const Program = "docker-credential-acr"

// A Desk is what the commands touch outside themselves.
type Desk struct {
	// Open furnishes the rooms.
	Open func() (*wiring.Rooms, error)
	// Helper is what answers clients.
	Helper *credhelper.Helper
	// Getenv reads the environment.
	Getenv func(string) string
	// Stdin is where a secret is read from, where no terminal is; Terminal says that
	// there is one, and Password reads from it without showing what is typed.
	Stdin    io.Reader
	Terminal bool
	Password func() ([]byte, error)
	// Stdout gets results, Stderr what a person has to do meanwhile. ToTerminal says
	// that Stdout is a terminal.
	Stdout, Stderr io.Writer
	ToTerminal     bool
	// Transport carries requests to Microsoft Entra and to registries.
	Transport http.RoundTripper
	// Resolve asks DNS for the addresses of a host; nil where there is none to ask.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Executable is the path of this program; nil for not known.
	Executable func() (string, error)
	// Version is this program's.
	Version string
	// Now is the clock.
	Now func() time.Time
}

// FlagsHelp is the annotation of a command whose flags would not fit a screen, one a
// line. Its text says them all.
const FlagsHelp = "flags"

// About names what a failure is about, most often a registry, as hints need it.
func About(target string, err error) error {
	if known := new(credhelper.Error); err == nil || errors.As(err, &known) || mistype.Is(err) {
		return err
	}
	return &credhelper.Error{Registry: target, Err: err}
}

// WriteTimeout bounds the wait for another process that is changing a login.
const WriteTimeout = 20 * time.Second

// slow is how long a person waits without being told for what.
const slow = time.Second

// Waiting tells the person what is being waited for, if that takes longer than a
// second. Call the function that it returns when the wait is over.
func (d Desk) Waiting(what string) (over func()) {
	timer := time.AfterFunc(slow, func() { fmt.Fprintf(d.Stderr, "%s…\n", what) })
	return func() { timer.Stop() }
}

// Complete offers the registries that there is something for: to logout and status
// whatever is stored, to login what it could be for, to the others login servers. It
// asks no delegate, which could prompt.
func (d Desk) Complete(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const end = cobra.ShellCompDirectiveNoFileComp
	rooms, err := d.Open()
	if err != nil || len(args) > 0 && !strings.Contains(c.Use, "…") {
		return nil, end
	}
	clouds, _ := rooms.Identities.Config.Clouds()
	places, _ := clientconfig.FindPlaces(d.Getenv) // without a home there are none
	names := append(rooms.Known(), places.Registries(clouds)...)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return slices.Contains(args, name) || !takes(c.Name(), clouds, name)
	}), end
}

// takes says whether a command has a use for a name that is stored.
func takes(command string, clouds registry.Clouds, name string) bool {
	_, _, err := ReadTarget(clouds, name)
	switch command {
	case "logout", "status":
		return true
	case "login":
		return err == nil
	}
	return err == nil && !strings.Contains(name, "*")
}

// ReadTarget reads a registry as clients spell it, or a pattern. The host is an
// example of what the pattern matches.
func ReadTarget(clouds registry.Clouds, typed string) (target string, host registry.Host, err error) {
	if host, err := clouds.ParseHost(typed); err == nil {
		return host.String(), host, nil
	}
	pattern := strings.ToLower(typed)
	if host, err = clouds.Example(pattern); err != nil {
		return "", registry.Host{}, mistype.Errorf("%w; other clouds and domains stand in the config file", err)
	}
	return pattern, host, nil
}

// hubs are what people call Docker Hub, by what Docker calls it when it asks for a login.
var hubs = map[string]string{"docker.io": "https://index.docker.io/v1/", "index.docker.io": "https://index.docker.io/v1/"}

// ReadServer reads a registry or pattern, or the name of another registry, which stands
// as its client spells it: one that a login is stored for, or any if a delegate may have
// something for it.
func ReadServer(rooms *wiring.Rooms, clouds registry.Clouds, typed string) (target string, host registry.Host, foreign bool, err error) {
	if target, host, err = ReadTarget(clouds, typed); err == nil {
		return target, host, false, nil
	}
	for _, name := range []string{typed, hubs[typed]} {
		if login, broken := rooms.Vault.Login(name); name != "" && (broken != nil || login != nil) {
			return name, host, true, nil
		}
	}
	_, why := clouds.ParseHost(typed)
	if d, _ := rooms.Delegate(); d != nil && errors.Is(why, registry.ErrForeign) {
		return typed, host, true, nil
	}
	return "", host, false, err
}

// Exactly demands so many arguments, and says which.
func Exactly(n int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return mistype.Errorf("%s takes %s; see: %s --help", c.Name(), what, c.CommandPath())
		}
		return nil
	}
}

// HomeName is what people call a home of the vault's key.
func HomeName(home string) string {
	switch home {
	case "os":
		return "the OS keyring"
	case "kernel":
		return "the kernel keyring"
	case "file":
		return "the key file"
	}
	return home
}
