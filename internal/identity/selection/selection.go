// Package selection decides which identity signs in to a registry. It looks at the
// configuration, stored logins, the environment and developer tools' profiles, never at
// the network, and can say why it decided so. Exactly one identity is selected before
// anything is tried; there is no chain of fallbacks.
package selection

import (
	"cmp"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/fault"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity/config"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// Logins are the stored logins.
type Logins interface {
	// Login returns the login for a server or pattern; nil for none.
	Login(server string) (*identity.Login, error)
	// Patterns returns the patterns that logins are stored for.
	Patterns() ([]string, error)
}

// A Selector selects identities. Its fields are all that it looks at.
type Selector struct {
	// Getenv reads the environment.
	Getenv func(string) string
	// Config is the config files' content.
	Config config.Config
	// Logins are the stored logins.
	Logins Logins
	// AzureDir, AzdDir and PowerShellDir are the directories of Azure CLI, azd and Azure
	// PowerShell; "" for none.
	AzureDir, AzdDir, PowerShellDir string
	// Find returns the path of a program on the PATH; "" for none.
	Find func(program string) string
	// OnAzureVM reports whether this computer is an Azure VM.
	OnAzureVM func() bool
	// MachineID returns what tells this computer from others; "" for unknown.
	MachineID func() string
	// Exists reports whether there is a file.
	Exists func(path string) bool
	// Fixed is selected for every registry, whatever else there is; nil for none.
	Fixed *identity.Identity
	// EnvironmentOnly leaves out the computer's managed identity unless variables name it,
	// and is the reason where there is no identity.
	EnvironmentOnly bool
	// Kubelet is what a request of kubelet adds; nil for none.
	Kubelet *Kubelet
}

// Select returns the identity for a registry, by the first of these rules that applies:
// the fixed one; for kubelet, the pod's service account; the most specific stored login or
// config entry; for kubelet, azure.json in place of all others; the environment; a signed-in
// Azure CLI, except for kubelet; the computer's managed identity; none. An identity that fails later
// is an error, not a reason to try another one. Even with an error the Source says which
// login or config entry is wrong, if one is, and the Tenant which one was wanted.
func (s Selector) Select(host registry.Host) (identity.Identity, error) {
	entry, err := s.Config.Entry(host)
	if err != nil {
		return identity.Identity{}, err
	}
	var login *identity.Login
	if s.Fixed == nil && !s.Kubelet.hasToken() {
		if login, err = s.login(host, entry); err != nil {
			return identity.Identity{}, err
		}
	}
	var id identity.Identity
	var source identity.Source
	switch {
	case s.Fixed != nil:
		source = s.Fixed.Source
		id, err = s.fixed()
	case s.Kubelet.hasToken():
		source = identity.Source{Kind: identity.FromServiceAccount}
		id, err = s.serviceAccount(entry)
	case login != nil:
		source = login.Source()
		id, err = s.fromLogin(host, *login, entry, source)
	case entry.Identity != identity.None:
		source = entry.Source
		id, err = s.fromEntry(host, entry)
	case s.Kubelet != nil && s.Kubelet.Node != nil:
		source = identity.Source{Kind: identity.FromAzureJSON, Name: s.Kubelet.Node.Path}
		id, err = s.node(host, entry)
	default:
		if id, err = s.fromEnvironment(host, entry); err == nil && id.Kind == identity.None {
			id = s.detect(host, entry)
		}
	}
	if err != nil {
		return identity.Identity{Source: source, Tenant: s.wantedTenant(login, entry)}, err
	}
	id.Audience = cmp.Or(entry.Audience, host.Cloud().Audience, registry.Audience)
	return id, nil
}

// SelectLogin returns the identity that a login would be selected as, for the login
// command to try it before it is stored.
func (s Selector) SelectLogin(host registry.Host, l identity.Login) (identity.Identity, error) {
	entry, err := s.Config.Entry(host)
	if err != nil {
		return identity.Identity{}, err
	}
	id, err := s.fromLogin(host, l, entry, identity.Source{Kind: identity.FromCommandLine, Pattern: l.Server})
	if err != nil {
		id.Tenant = s.wantedTenant(&l, entry)
	}
	id.Audience = cmp.Or(entry.Audience, host.Cloud().Audience, registry.Audience)
	return id, err
}

// detect selects the identity where nothing names one: the account of Azure CLI, or else
// the computer's managed identity, or else none, for a reason.
func (s Selector) detect(host registry.Host, e config.Entry) identity.Identity {
	var id identity.Identity
	var signedIn bool
	var err error
	if s.Kubelet == nil {
		if id, signedIn, err = s.azureCLI(host, e); err == nil {
			return id
		}
	}
	if id := s.fromMachine(); id.Kind != identity.None {
		return id
	}
	none := identity.Identity{}
	if signedIn {
		none.Cause = err
	} else {
		none.Cause = s.noUser()
	}
	if none.Cause != nil {
		none.Reason = none.Cause.Error()
	}
	return none
}

// noUser returns why there is no identity where no user can sign in: in a job of a CI
// system, or where only the environment counts; nil elsewhere.
func (s Selector) noUser() error {
	for _, system := range []struct {
		variable string
		code     fault.Code
	}{{"GITHUB_ACTIONS", fault.JobGitHub}, {"TF_BUILD", fault.JobPipelines}, {"GITLAB_CI", fault.JobGitLab}} {
		if s.getenv(system.variable) != "" {
			return fault.New(system.code, "%s: %s is not set", system.code.Meaning(), azureVars.clientID)
		}
	}
	if s.EnvironmentOnly {
		return fault.New(fault.NoVariables, "%s", fault.NoVariables.Meaning())
	}
	return nil
}

// login returns the login for a host: its own, or that of the most specific pattern,
// unless a config entry is more specific; nil for none.
func (s Selector) login(host registry.Host, entry config.Entry) (*identity.Login, error) {
	login, err := s.Logins.Login(host.String())
	if login != nil || err != nil {
		return login, err
	}
	patterns, err := s.Logins.Patterns()
	if err != nil || len(patterns) == 0 {
		return nil, err
	}
	// A pattern counts in its own cloud only, so that no login goes to another authority
	// after the config file's clouds have changed.
	best, tie := registry.MostSpecific(slices.DeleteFunc(patterns, func(p string) bool {
		return !strings.HasSuffix(p, "."+host.Cloud().Suffix)
	}), host)
	switch {
	case tie != "":
		return nil, fault.New(fault.LoginPatterns, "the stored logins for %s and %s match equally well", best, tie)
	case best == "", entry.Identity != identity.None && registry.CompareSpecificity(entry.Pattern, best) > 0:
		return nil, nil
	}
	return s.Logins.Login(best)
}

// fromLogin completes a login. One without a secret says where the credential is, as a
// config entry does. A service principal that docker login stored has no tenant of its
// own.
func (s Selector) fromLogin(
	host registry.Host, l identity.Login, e config.Entry, source identity.Source,
) (identity.Identity, error) {
	if !l.HasSecret() {
		id, err := s.fromEntry(host, config.Entry{
			Identity: l.Kind, Tenant: cmp.Or(l.Tenant, e.Tenant), ClientID: l.ClientID, ObjectID: l.ObjectID,
			ResourceID: l.ResourceID, Subscription: l.Subscription, TokenFile: l.TokenFile, Pattern: l.Server, Source: source,
		})
		id.Login = &l
		return id, err
	}
	id := identity.Identity{
		Kind: l.Kind, Tenant: l.Tenant, ClientID: l.ClientID, User: l.User,
		Login: &l, Fingerprint: l.Fingerprint, Source: source,
	}
	if id.Kind == identity.ServicePrincipal && id.Tenant == "" {
		id.Tenant = s.defaultTenant(e)
	}
	return id, nil
}

// wantedTenant returns the tenant that an identity should have had, for advice on signing in
// there; "" for unknown. login may be nil.
func (s Selector) wantedTenant(login *identity.Login, e config.Entry) string {
	if login != nil && login.Tenant != "" {
		return login.Tenant
	}
	return s.defaultTenant(e)
}

// TenantFor returns the tenant of a registry's login that has none of its own; "" for
// unknown.
func (s Selector) TenantFor(host registry.Host) string {
	entry, err := s.Config.Entry(host)
	if err != nil {
		return ""
	}
	return s.defaultTenant(entry)
}

func (s Selector) defaultTenant(e config.Entry) string {
	if e.Tenant != "" {
		return e.Tenant
	}
	if tenant := s.getenv("AZURE_TENANT_ID"); text.IsTenant(tenant) {
		return tenant
	}
	return ""
}

// refuse returns an error instead of an identity.
func refuse(code fault.Code, format string, args ...any) (identity.Identity, error) {
	return identity.Identity{}, fault.New(code, format, args...)
}

// variable is the source of what a variable decides.
func variable(name string) identity.Source {
	return identity.Source{Kind: identity.FromEnvironment, Name: name}
}

// getenv reads a variable without the white space at its ends and the byte order mark, which
// the file that it comes from may have added. Only a password has any of its own.
func (s Selector) getenv(name string) string {
	return strings.TrimSpace(strings.TrimPrefix(s.Getenv(name), "\ufeff"))
}

// isOn reports whether a switch in the environment is on. Quotes around it don't matter.
func (s Selector) isOn(name string) bool {
	value := strings.Trim(strings.ToLower(s.getenv(name)), `"'`)
	return value == "true" || value == "1"
}
