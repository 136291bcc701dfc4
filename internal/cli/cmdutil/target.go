package cmdutil

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docker-credential-acr/docker-credential-acr/internal/app"
	"github.com/docker-credential-acr/docker-credential-acr/internal/dockerconfig"
	"github.com/docker-credential-acr/docker-credential-acr/internal/registry"
	"github.com/docker-credential-acr/docker-credential-acr/internal/text"
)

// ParseTarget parses a registry, in any spelling of clients, or a pattern. The host is
// one that the pattern matches.
func ParseTarget(clouds registry.Clouds, typed string) (target string, host registry.Host, err error) {
	if host, err := clouds.ParseHost(typed); err == nil {
		return host.String(), host, nil
	}
	pattern := strings.ToLower(typed)
	if host, err = clouds.Example(pattern); err == nil {
		return pattern, host, nil
	}
	const orWhat = " or pattern (for example contoso.azurecr.io or '*.azurecr.io')"
	return "", registry.Host{}, UnknownRegistry(clouds, typed, orWhat)
}

// UnknownRegistry returns the usage error for what is not a registry; orWhat says what else
// the command takes. A name without a dot may lack its domain.
func UnknownRegistry(clouds registry.Clouds, typed, orWhat string) error {
	meant, err := clouds.ParseHost(WithDomain(typed))
	if name, domain, ok := strings.Cut(strings.ToLower(typed), "."); err != nil && ok {
		meant, err = clouds.ParseHost(name + "." + text.Nearest(domain, registry.Suffixes()))
	}
	if err == nil {
		return UsageErrorf("unknown registry %q; did you mean %s?", typed, meant)
	}
	return UsageErrorf("%q is not an Azure container registry%s", typed, orWhat)
}

// Meant returns the known registry that was probably meant; "" for none.
func Meant(a *app.App, typed string) string {
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	return text.Nearest(typed, append(a.KnownServers(), paths.Registries(a.Clouds)...))
}

// WithDomain adds the domain to the name of a registry without one.
func WithDomain(name string) string {
	if name == "" || strings.ContainsAny(name, ".*") {
		return name
	}
	return name + ".azurecr.io"
}

// ParseServer parses a registry or pattern, or the name of another registry, as its
// client spells it: one that a login is stored for, or any if a delegate may have a login
// for it.
func ParseServer(a *app.App, typed string) (target string, host registry.Host, isOther bool, err error) {
	if target, host, err = ParseTarget(a.Clouds, typed); err == nil {
		return target, host, false, nil
	}
	names := []string{typed}
	if typed == "docker.io" || typed == "index.docker.io" {
		names = append(names, dockerconfig.DockerHub)
	}
	s := a.Vault.Open()
	defer s.Close()
	for _, name := range names {
		if login, failed := s.Login(name); name != "" && (failed != nil || login != nil) {
			return name, host, true, nil
		}
	}
	_, notHost := a.Clouds.ParseHost(typed)
	if d, _ := a.Delegate(); d != nil && errors.Is(notHost, registry.ErrNotACR) {
		return typed, host, true, nil
	}
	return "", host, false, err
}

// Complete completes registries, for the shell's Tab key: to logout and status those for
// which anything is stored, to login what it could be for, to others login servers. It
// doesn't ask the delegate, which could prompt, and leaves out names that a shell would
// not take as they are.
func (e Env) Complete(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	const end = cobra.ShellCompDirectiveNoFileComp
	a, err := e.Open()
	if err != nil || len(args) > 0 && !strings.Contains(c.Use, "…") {
		return nil, end
	}
	paths, _ := dockerconfig.FindPaths(a.Runner.Getenv) // without a home directory there are none
	names := append(a.KnownServers(), paths.Registries(a.Clouds)...)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool {
		return slices.Contains(args, name) || !text.Only(name, text.Lower+text.Upper+text.Digits+".-_:/*") ||
			!accepts(c.Name(), a.Clouds, name)
	}), end
}

// accepts reports whether a command accepts a name that is stored.
func accepts(command string, clouds registry.Clouds, name string) bool {
	_, _, err := ParseTarget(clouds, name)
	switch command {
	case "logout", "status":
		return true
	case "login":
		return err == nil
	}
	return err == nil && !strings.Contains(name, "*")
}
