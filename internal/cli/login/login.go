// Package login is the command by which users sign in.
package login

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/cmdutil"
	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/httpguard"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/selection"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/secret"
	"github.com/docker-credential-acr/docker-credential-acr/internal/vault"
)

// allRegistries is the target where the user names none.
const allRegistries = "*.azurecr.io"

// Command returns the command login.
func Command(env cmdutil.Env) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "login [REGISTRY|PATTERN]",
		Short: "Sign in to a registry",
		Long: `Sign in to a registry, or to all registries that a pattern matches.

The login is stored, encrypted, after the sign-in has worked. Without a sign-in
method, login repeats the previous one; if there is none, it asks on a terminal.
Without a registry or pattern, login asks for one on a terminal. In a script, or
if you specify a method, it uses '*.azurecr.io'.

The first time, service principals and federated tokens need --client-id and
--tenant.`,
		Example: cmdutil.Examples(
			"Choose registry and method from a menu", "login",
			"Sign in with a browser", "login contoso.azurecr.io --browser",
			"Use the account of Azure CLI for all registries", "login '*.azurecr.io' --azure-cli",
			"Sign in with a service principal", `login contoso.azurecr.io --service-principal \
    --client-id 7d1c0000-0000-4000-8000-00000000abcd --tenant contoso.com \
    --secret-file secret.txt`),
		Args: cmdutil.Args(0, 1, "REGISTRY or PATTERN"),
	}
	c.RunE = env.Run(allRegistries, func(ctx context.Context, a *app.App, args []string) error {
		if err := o.readFlags(c.Flags()); err != nil {
			return err
		}
		target, err := o.target(env, args)
		if err != nil {
			return err
		}
		err = cmdutil.About(target, login(ctx, env, a, target, o))
		if failed, ok := errors.AsType[*app.Error](err); ok { // so that advice is about what was typed
			failed.Identity.Source = identity.Source{Kind: identity.FromCommandLine}
		}
		return err
	})
	o.define(c)
	return c
}

// target returns the registry or pattern that was typed, which may be the answer to a
// question: at a terminal, unless a method was typed, as in a script.
func (o *options) target(env cmdutil.Env, args []string) (target string, err error) {
	isTyped := func(m method) bool { return o.isTyped(m.flag) }
	switch {
	case len(args) == 1:
		target = args[0]
	case env.StdinIsTerminal && !slices.ContainsFunc(methods, isTyped):
		target, err = env.AskLine("Registry (Enter for all of " + allRegistries + "): ")
		target = cmdutil.WithDomain(target)
	}
	o.named = target != "" || len(args) == 1
	if !o.named {
		target = allRegistries
	}
	return target, err
}

// An attempt is one run of login.
type attempt struct {
	cmdutil.Env
	options
	app      *app.App
	vault    *vault.Session
	selector selection.Selector

	target   string          // a host or pattern
	host     registry.Host   // the host, or one that the pattern matches
	previous *identity.Login // the login to be replaced; nil for none
	entry    config.Entry    // of the config file

	// Signing in fills in the identity that has signed in, but for users; the secret of
	// the login, if it has one; and the token of Entra, which registry users don't get.
	id     identity.Identity
	secret secret.String
	access secret.Token
}

// login is the whole command: what to do is decided before anything is asked for, and
// nothing is stored that has not worked.
func login(ctx context.Context, env cmdutil.Env, application *app.App, target string, o options) error {
	a := &attempt{Env: env, app: application, options: o}
	a.openVault()
	defer func() { a.vault.Close() }()
	if err := a.prepare(target); err != nil {
		return err
	}
	m, err := a.chooseMethod()
	if err != nil {
		return err
	}
	if err := a.resolve(ctx, m); err != nil {
		return err
	}
	if err := a.chooseKeyring(ctx, m); err != nil {
		return err
	}
	if err := a.vault.Writable(ctx); err != nil { // before the user takes the trouble
		return err
	}
	a.login.Kind = m.kind
	if err := m.run(a, ctx); err != nil {
		return err
	}
	a.login.Server = a.target
	a.vault.Close()
	a.openVault() // the user may have taken minutes
	return a.store(ctx)
}

// openVault opens the vault, or opens it again to see what other processes have changed.
func (a *attempt) openVault() {
	a.vault = a.app.Vault.Open()
	a.selector = a.app.Selector(a.vault)
}

// prepare parses the target, and finds what the last login and the config file say about
// it.
func (a *attempt) prepare(target string) (err error) {
	if err := a.app.Config.Err(); err != nil {
		return err
	}
	if a.target, a.host, err = cmdutil.ParseTarget(a.app.Clouds, target); err != nil {
		return err
	}
	if a.entry, err = a.app.Config.Entry(a.host); err != nil {
		return err
	}
	a.previous, _ = a.vault.Login(a.target) // one that can't be read is about to be replaced
	return a.validate(a.target)
}

// A method is one way to sign in. Its flag is the Method of logins that have one.
type method struct {
	flag string
	kind identity.Kind
	uses string // the other flags that it uses
	// run signs in as the flags say, and completes the login, which is stored then.
	run func(*attempt, context.Context) error
}

// methods are all methods. Of two of one kind the first is that of a login without a
// Method.
var methods = []method{
	{"browser", identity.User, "client-id tenant login-hint", (*attempt).browser},
	{"device-code", identity.User, "client-id tenant", (*attempt).deviceCode},
	{"service-principal", identity.ServicePrincipal, "client-id tenant secret-file", (*attempt).servicePrincipal},
	{
		"certificate", identity.ServicePrincipal, "client-id tenant secret-file send-certificate-chain",
		(*attempt).certificate,
	},
	{"federated-token-file", identity.FederatedToken, "client-id tenant", (*attempt).federatedToken},
	{"managed-identity", identity.ManagedIdentity, "client-id object-id resource-id", (*attempt).reference},
	{"azure-cli", identity.AzureCLI, "tenant subscription", (*attempt).reference},
	{"username", identity.RegistryUser, "password-stdin secret-file", (*attempt).registryUser},
	{"anonymous", identity.Anonymous, "", (*attempt).reference},
}

// chooseMethod returns the method that was typed, or else the previous one, or the one
// that the user chooses.
func (a *attempt) chooseMethod() (method, error) {
	var typed []method
	var flags []string
	for _, m := range methods {
		flags = append(flags, "--"+m.flag)
		if a.isTyped(m.flag) {
			typed = append(typed, m)
		}
	}
	previous := a.previousMethod()
	switch {
	case len(typed) > 1:
		return method{}, cmdutil.UsageErrorf("use only one of %s", strings.Join(flags, ", "))
	case len(typed) == 1:
		return typed[0], a.requireUsed(typed[0])
	case previous >= 0:
		a.merge(a.previous)
		m := methods[previous]
		if err := a.requireUsed(m); err != nil {
			return m, cmdutil.UsageErrorf("%w, your previous sign-in method; to change it, add the flag of another method", err)
		}
		return m, nil
	case a.StdinIsTerminal:
		return a.ask()
	case a.previous != nil && a.previous.Method == identity.MethodCertificate:
		return method{}, cmdutil.UsageErrorf(
			"the previous sign-in used a certificate; specify it again: --certificate FILE")
	}
	return method{}, cmdutil.UsageErrorf("choose a sign-in method: %s", strings.Join(flags, ", "))
}

// previousMethod returns the index of the method that worked last time, or that the
// config file demands; -1 for neither. The path of a certificate isn't stored, so the file
// must be named again.
func (a *attempt) previousMethod() int {
	kind, made := identity.None, ""
	switch {
	case a.previous == nil && a.entry.Identity == identity.User: // any other that it names needs no login
		kind = identity.User
	case a.previous != nil && a.previous.Method != identity.MethodCertificate:
		kind, made = a.previous.Kind, a.previous.Method
	}
	return slices.IndexFunc(methods, func(m method) bool { return m.kind == kind && (made == "" || made == m.flag) })
}

// resolve asks DNS for the registry, since a wrong name would otherwise be noticed
// only after the user has signed in. A proxy may know names that this computer doesn't.
func (a *attempt) resolve(ctx context.Context, m method) error {
	proxy, err := httpguard.ProxyFor(a.app.Transport, a.target)
	if a.LookupHost == nil || a.target != a.host.String() || m.kind == identity.Anonymous || proxy != "" || err != nil {
		return err
	}
	const timeout = 5 * time.Second
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err = a.LookupHost(ctx, a.target); err == nil {
		return nil
	}
	failed := httpguard.Explain(a.target, err)
	if failed.Code != fault.DNS { // such as a server that doesn't answer, which may do so in a moment
		return nil
	}
	failed.Subject = "the registry's name"
	if meant := cmdutil.Meant(a.app, a.target); meant != "" {
		failed.Reason += "; did you mean " + meant + "?"
	}
	return failed
}

// failed is the error where something failed as an identity.
func (a *attempt) failed(id identity.Identity, doing string, err error) error {
	return &app.Error{Registry: a.target, Identity: id, Err: fmt.Errorf("%s: %w", doing, err)}
}
