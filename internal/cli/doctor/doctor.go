// Package doctor is the command that says what is wrong: a list of small checks, in
// the order of a get, that call the very functions which a get uses.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/desk"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/finding"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/wired"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/clientconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/wiring"
)

// Command is doctor.
func Command(d desk.Desk) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor [REGISTRY|IMAGE]",
		Short: "say what is wrong, if anything, and what to do about it",
		Long: `Look at everything that a pull depends on, from the PATH to the permission in
the registry, and say for each what is found (ok, warn, fail or skip) and what
to do. Without a registry no network is used. No setting is changed and no
secret is printed: the output is fit for a bug report. Read it first, though,
for it names accounts, registries and addresses.

The exit status is 1 if a check fails. --json prints one object:
  {"version", "registry", "failed": N, "warned": N, "checks": [
    {"check", "registry", "status", "code", "fact", "hint", "milliseconds"}]}`,
		Example: "  " + desk.Program + " doctor contoso.azurecr.io\n" +
			"  " + desk.Program + " doctor contoso.azurecr.io/app:1.2 --json",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				return mistype.Errorf("doctor takes one REGISTRY; see: %s --help", c.CommandPath())
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return doctor(c.Context(), d, args, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object instead of lines")
	return c
}

// An exam is one run of doctor: what is asked about, and what has been found.
type exam struct {
	desk.Desk
	rooms   *wiring.Rooms // nil where one of our variables is wrong
	broken  error         // what is wrong with it
	clients wired.Clients
	host    registry.Host
	asked   bool // about the host by name, so that the network may be used
	// repository is what permissions are asked for; "" for none in particular.
	repository string

	results finding.Report
	stuck   map[string]bool // checks that failed, or were not tried for that reason

	id                      identity.Identity
	viaProxy, entraViaProxy bool
	greeting                exchange.Challenge
	unwelcome               error        // why the greeting was none of a registry that works
	access                  secret.Token // for Entra identities
	user                    string       // with its password, what clients would be answered
	password                secret.String
	anonymous               bool // clients would be answered that nothing was found
}

// A check looks at one thing.
type check struct {
	name string
	// after are checks without whose success this one makes no sense.
	after []string
	run   func(context.Context, *exam) finding.Finding
}

// The checks, in order: those of the machine, those of all registries where none is
// named, those of each registry that need no network, and those that ask the network.
var (
	machineChecks = []check{
		{"version", nil, checkVersion},
		{"binary", nil, checkBinary},
		{"settings", nil, checkSettings},
		{"config", []string{"settings"}, checkConfig},
		{"delegate", []string{"config"}, checkDelegate},
		{"vault", []string{"settings"}, checkVault},
		{"keyring", []string{"settings"}, checkKeyring},
	}
	estateChecks = []check{
		{"wiring", nil, func(_ context.Context, e *exam) finding.Finding { return e.clients.Estate() }},
	}
	registryChecks = []check{
		{"docker", nil, func(_ context.Context, e *exam) finding.Finding { return e.clients.Docker(e.host) }},
		{"docker-env", nil, func(_ context.Context, e *exam) finding.Finding { return e.clients.DockerEnv(e.host) }},
		{"podman", nil, func(_ context.Context, e *exam) finding.Finding { return e.clients.Podman(e.host) }},
		{"identity", []string{"settings", "config"}, checkIdentity},
	}
	networkChecks = []check{
		{"proxy", nil, checkProxy},
		{"dns", []string{"proxy"}, checkDNS},
		{"dns-entra", []string{"proxy", "identity"}, checkEntraDNS},
		{"tls", []string{"settings", "proxy", "dns"}, checkTLS},
		{"clock", []string{"tls"}, checkClock},
		{"challenge", []string{"tls"}, checkChallenge},
		{"sign-in", []string{"identity", "proxy"}, checkSignIn},
		{"exchange", []string{"tls", "sign-in"}, checkExchange},
		{"permissions", []string{"tls"}, checkPermissions},
	}
)

func doctor(ctx context.Context, d desk.Desk, args []string, asJSON bool) error {
	e := &exam{Desk: d, asked: len(args) > 0, stuck: map[string]bool{}}
	e.rooms, e.broken = d.Open()
	e.clients = wired.Clients{Getenv: d.Getenv, Find: e.findProgram}
	e.clients.Places, e.clients.Missing = clientconfig.FindPlaces(d.Getenv)
	e.clients.LeaveHidden()
	e.results = finding.Report{Version: d.Version, Checks: []finding.Result{}, Home: e.clients.Home, Out: d.Stdout}
	if asJSON {
		e.results.Out = io.Discard
	}
	if err := e.read(args); err != nil {
		return desk.About(args[0], err)
	}
	about := "this machine"
	if e.asked {
		about = e.host.String()
		e.results.Registry = about
	}
	e.examine(ctx, "", machineChecks)
	e.examineRegistries(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := e.results.End(d.Stdout, asJSON, e.asked); err != nil {
		return err
	}
	if n := e.results.Failed; n > 0 {
		return desk.About(about, fmt.Errorf("%d check%s failed", n, strings.Repeat("s", min(n-1, 1))))
	}
	return nil
}

// read understands the registry as get does, so that a config file which can't be
// read spoils the built-in clouds for nobody. An image may stand there in its stead.
func (e *exam) read(args []string) (err error) {
	var broken error
	if e.rooms != nil {
		e.clients.Clouds, broken = e.rooms.Identities.Config.Clouds()
	}
	if !e.asked {
		return nil // what is broken is a check's to say
	}
	typed := args[0]
	image, _, _ := strings.Cut(typed, "@sha256:")
	if e.host, err = e.clients.Clouds.ParseHost(image); err != nil && broken != nil {
		return broken
	}
	if refused := new(registry.RefusedError); errors.As(err, &refused) {
		return mistype.Errorf("%q is no Azure container registry: %w", typed, err)
	}
	if err != nil {
		return mistype.Errorf("%q is no Azure container registry, such as contoso.azurecr.io", typed)
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(image), "https://"), "/")
	path, _, _ = strings.Cut(strings.Trim(path, "/"), ":") // the tag, of which permissions know nothing
	switch {
	case path == "v1", path == "v2":
	case strings.Trim(path, "abcdefghijklmnopqrstuvwxyz0123456789._-/") != "":
		return mistype.Errorf("%q is no repository, such as contoso.azurecr.io/app", typed)
	default:
		e.repository = path
	}
	return nil
}

// examineRegistries looks at the registry that was named, or, without the network,
// at those that the helper knows or is named for.
func (e *exam) examineRegistries(ctx context.Context) {
	if e.asked {
		e.examine(ctx, e.host.String(), registryChecks)
		e.examine(ctx, e.host.String(), networkChecks)
		return
	}
	e.examine(ctx, "", estateChecks)
	hosts := e.clients.Registries(e.clients.Clouds)
	if e.rooms != nil { // else it has been said what is wrong
		for _, server := range e.rooms.Known() {
			if host, err := e.clients.Clouds.ParseHost(server); err == nil { // else another registry's, as a credsStore keeps
				hosts = append(hosts, host.String())
			}
		}
	}
	slices.Sort(hosts)
	for _, name := range slices.Compact(hosts) {
		e.host, _ = e.clients.Clouds.ParseHost(name)
		e.examine(ctx, name, registryChecks)
	}
}

// checkTimeout is more than what the slowest check takes: az has 10 seconds, and so
// has a request, which may be repeated.
const checkTimeout = 25 * time.Second

func (e *exam) examine(ctx context.Context, about string, checks []check) {
	for _, c := range checks {
		if ctx.Err() != nil {
			return
		}
		began := e.Now()
		f := e.try(ctx, c)
		e.results.Add(finding.Result{
			Check: c.name, Registry: about, Status: f.Status, Code: f.Code, Fact: f.Fact, Hint: f.Hint, Milliseconds: e.Now().Sub(began).Milliseconds(),
		})
	}
}

// try runs a check unless what it needs has failed. What has merely nothing to say is
// in nobody's way.
func (e *exam) try(ctx context.Context, c check) finding.Finding {
	for _, needed := range c.after {
		if e.stuck[needed] {
			e.stuck[c.name] = true
			return finding.Skip("not tried, because %s was not ok", needed)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	f := c.run(ctx, e)
	e.stuck[c.name] = f.Status == finding.Failed
	return f
}
