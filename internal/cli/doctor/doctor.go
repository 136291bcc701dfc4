// Package doctor is the command that finds out what is wrong. It is a list of small
// checks, in the order of a get, that call the same functions as a get.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/clients"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/doctor/report"
	"github.com/docker-credential-acr/docker-credential-acr/internal/exchange"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Command is doctor.
func Command(env cmdutil.Env) *cobra.Command {
	var asJSON, verbose bool
	c := &cobra.Command{
		Use:   "doctor [REGISTRY|IMAGE]",
		Short: "Find out why a pull or push fails",
		Long: `Find out why a pull or push fails, and what to do about it.

Doctor checks everything that a pull depends on: the PATH, the files of Docker
and Podman, the identity, the network, the sign-in, and the permissions in the
registry. Without an argument, it checks this computer and all registries that
are configured, and doesn't use the network.

It changes no configuration and prints no secrets. The output names accounts,
registries and addresses: read it before you post it.`,
		Example: cmdutil.Examples(
			"Check a registry", "doctor contoso.azurecr.io",
			"Check the permissions for one repository", "doctor contoso.azurecr.io/app:1.2",
			"Check everything that needs no network", "doctor",
			"Show all checks and times", "doctor contoso.azurecr.io --verbose",
			"Print JSON, for a bug report", "doctor contoso.azurecr.io --json"),
		Args: cmdutil.Args(0, 1, "REGISTRY or IMAGE"),
		RunE: func(c *cobra.Command, args []string) error {
			s := newSession(env)
			s.report.Verbose = verbose
			return doctor(c.Context(), s, args, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "Print JSON: results, codes and times")
	c.Flags().BoolVar(&verbose, "verbose", false,
		"Print all checks and their times, not only problems (a pipe always gets all)")
	return c
}

// A session is one run of doctor. Checks leave in it what later checks need.
type session struct {
	cmdutil.Env
	app     *app.App // nil where a variable of the program is wrong
	appErr  error    // what is wrong with it
	clients clients.Clients
	host    registry.Host
	// repository is what permissions are asked for; "" for none in particular.
	repository string

	report report.Report
	failed map[string]bool // checks that failed, or were skipped because an earlier one failed

	id                identity.Identity
	proxy, entraProxy string // how the registry and Entra are reached; "" for directly
	challenge         exchange.Challenge
	challengeErr      error          // why the registry sent no challenge
	access            secret.Token   // for Entra identities
	credential        app.Credential // what clients get
	isAnonymous       bool           // clients get no credential
}

// newSession opens the App. One that can't be opened is what the check of the settings
// reports, so that the checks which don't need it still run.
func newSession(env cmdutil.Env) *session {
	s := &session{Env: env, failed: map[string]bool{}}
	var clouds registry.Clouds
	if s.app, s.appErr = env.Open(); s.app != nil {
		clouds = s.app.Clouds
	}
	s.clients = clients.New(env.Getenv(), clouds)
	s.report = report.Report{
		Version: env.Version, Checks: []report.Result{}, Home: s.clients.Paths.Home, Print: env.Print, Screen: env.Screen(),
	}
	return s
}

// doctor runs the checks, and reports each result as it comes.
func doctor(ctx context.Context, s *session, args []string, asJSON bool) error {
	if asJSON {
		s.report.Print = nil
	}
	subject := "this computer"
	if len(args) > 0 {
		if err := s.parse(args[0]); err != nil {
			return cmdutil.About(args[0], err)
		}
		subject = s.host.String()
		s.report.Registry = subject
	}
	s.run(ctx, "", computerChecks)
	if len(args) > 0 {
		s.run(ctx, subject, registryChecks)
		s.run(ctx, subject, networkChecks)
	} else {
		s.run(ctx, "", globalChecks)
		s.runAllRegistries(ctx)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if asJSON {
		if err := s.PrintJSON(s.report); err != nil {
			return err
		}
	} else {
		s.end(args)
	}
	if n := s.report.Failed; n > 0 {
		return cmdutil.About(subject, fmt.Errorf("%d check%s failed", n, strings.Repeat("s", min(n-1, 1))))
	}
	return nil
}

// end prints the summary, and how to see more.
func (s *session) end(args []string) {
	s.report.End()
	if s.report.IsFolded() {
		s.Resultf("")
		s.Resultf("To see all checks and times, run:")
		s.Resultf("    %s",
			strings.Join(append(append([]string{cmdutil.Program, "doctor"}, args...), "--verbose"), " "))
	}
	if len(args) == 0 {
		s.Resultf("")
		s.Resultf("No network was used. To check a registry, run:")
		s.Resultf("    %s doctor REGISTRY", cmdutil.Program)
	}
}

// parse parses a registry or an image. Built-in clouds work even if the config file can't
// be read, as in get.
func (s *session) parse(typed string) (err error) {
	image, _, _ := strings.Cut(typed, "@sha256:") // ParseHost refuses an @
	s.host, err = s.clients.Clouds.ParseHost(image)
	switch {
	case err != nil && s.app != nil && s.app.Config.Err() != nil:
		return s.app.Config.Err() // it may have the registry's cloud
	case errors.Is(err, registry.ErrInvalid):
		return cmdutil.UsageErrorf("%q is not an Azure container registry: %w", typed, err)
	case err != nil:
		return cmdutil.UnknownRegistry(s.clients.Clouds, typed, " (for example contoso.azurecr.io)")
	}
	s.repository = repositoryOf(image)
	if !text.Only(s.repository, text.Lower+text.Digits+"._-/") {
		return cmdutil.UsageErrorf("%q is not a repository, such as contoso.azurecr.io/app", typed)
	}
	return nil
}

// repositoryOf returns the repository of an image without its tag, which makes no
// difference to permissions; "" for a registry, with or without the path of its API.
func repositoryOf(image string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(strings.ToLower(image), "https://"), "/")
	path, _, _ = strings.Cut(strings.Trim(path, "/"), ":")
	if path == "v1" || path == "v2" {
		return ""
	}
	return path
}

// A check checks one thing.
type check struct {
	name string
	// needs are the checks without which this one makes no sense.
	needs []string
	run   func(context.Context, *session) report.Finding
}

// The checks, in order: of this computer; of all registries together, if the user names
// none; of each registry, without network; and with network.
var (
	computerChecks = []check{
		{"version", nil, checkVersion},
		{"binary", nil, checkBinary},
		{"settings", nil, checkSettings},
		{"config", []string{"settings"}, checkConfig},
		{"delegate", []string{"config"}, checkDelegate},
		{"vault", []string{"settings"}, checkVault},
		{"keyring", []string{"settings"}, checkKeyring},
	}
	globalChecks = []check{
		{"clients", nil, func(_ context.Context, s *session) report.Finding { return s.clients.All() }},
	}
	registryChecks = []check{
		{"docker", nil, checkDocker},
		{"docker-env", nil, func(_ context.Context, s *session) report.Finding { return s.clients.DockerEnv(s.host) }},
		{"podman", nil, checkPodman},
		{"logins", nil, func(_ context.Context, s *session) report.Finding { return s.clients.Logins(s.host) }},
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

// runAllRegistries checks, without network, the registries that this helper knows or is
// configured for.
func (s *session) runAllRegistries(ctx context.Context) {
	names := s.clients.Paths.Registries(s.clients.Clouds)
	if s.app != nil {
		names = append(names, s.app.KnownServers()...)
	}
	hosts := map[string]registry.Host{}
	for _, name := range names {
		if host, err := s.clients.Clouds.ParseHost(name); err == nil { // no pattern, and no other registry
			hosts[host.String()] = host
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		s.host = hosts[name]
		s.run(ctx, name, registryChecks)
	}
}

// run runs checks about a registry; "" for none.
func (s *session) run(ctx context.Context, about string, checks []check) {
	for _, c := range checks {
		if ctx.Err() != nil {
			return
		}
		start, stop := s.Now(), func() {}
		if s.report.IsFolded() {
			stop = s.Waiting("checking " + c.name)
		}
		f := s.try(ctx, c)
		stop()
		s.report.Add(report.Result{
			Check: c.name, Registry: about, Finding: f, Milliseconds: s.Now().Sub(start).Milliseconds(),
		})
	}
}

// checkTimeout is more than the slowest check takes: az has 10 seconds, and so has a
// request, which may be repeated.
const checkTimeout = 25 * time.Second

// try runs a check unless one that it needs has failed. One that was skipped for another
// reason is not in the way.
func (s *session) try(ctx context.Context, c check) report.Finding {
	for _, needed := range c.needs {
		if s.failed[needed] {
			s.failed[c.name] = true
			return report.Skip("not tried, because %s was not ok", needed)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	f := c.run(ctx, s)
	s.failed[c.name] = f.Status == report.Failed
	return f
}

// failure returns the finding for an error that a get would have, too, with its code and
// advice.
func (s *session) failure(err error) report.Finding {
	return report.Finding{
		Status: report.Failed, Code: cmp.Or(fault.CodeOf(err), fault.Failed), Fact: err.Error(),
		Hint: app.Advice(&app.Error{Registry: s.host.String(), Identity: s.id, Err: err}),
	}
}
