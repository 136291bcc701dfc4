package login

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/docker-credential-acr/docker-credential-acr/internal/cli/mistype"
	"github.com/docker-credential-acr/docker-credential-acr/internal/identity"
)

// A way is one of the ways to sign in.
type way struct {
	flag  string
	takes []string // the other flags that it has a use for
	do    func(context.Context) (proven, error)
}

func (a *attempt) ways() []way {
	return []way{
		{"browser", []string{"client-id", "tenant", "login-hint"}, a.browser},
		{"device-code", []string{"client-id", "tenant"}, a.deviceCode},
		{"service-principal", []string{"client-id", "tenant", "secret-file"}, a.servicePrincipal},
		{"certificate", []string{"client-id", "tenant", "secret-file", "send-certificate-chain"}, a.certificate},
		{"federated-token-file", []string{"client-id", "tenant"}, a.keyless(identity.FederatedToken)},
		{"managed-identity", []string{"client-id", "object-id", "resource-id"}, a.keyless(identity.ManagedIdentity)},
		{"azure-cli", []string{"tenant", "subscription"}, a.keyless(identity.AzureCLI)},
		{"username", []string{"password-stdin", "secret-file"}, a.registryUser},
		{"anonymous", nil, a.keyless(identity.Anonymous)},
	}
}

// way is the one of a flag.
func (a *attempt) way(flag string) way {
	ways := a.ways()
	return ways[slices.IndexFunc(ways, func(w way) bool { return w.flag == flag })]
}

// method is the way to sign in that was asked for, or else the one that worked
// last time.
func (a *attempt) method() (func(context.Context) (proven, error), error) {
	var asked []way
	var known []string
	last := a.last()
	for _, w := range a.ways() {
		known = append(known, "--"+w.flag)
		if slices.Contains(a.flags.typed, w.flag) {
			asked = append(asked, w)
		}
	}
	switch ways := strings.Join(known, ", "); {
	case len(asked) > 1:
		return nil, mistype.Errorf("say only one of %s", ways)
	case len(asked) == 0 && last != "":
		a.repeat()
		if err := a.useful(a.way(last)); err != nil {
			return nil, mistype.Errorf("%w, which is repeated where no way to sign in is named", err)
		}
		return a.way(last).do, nil
	case len(asked) == 0 && a.Terminal:
		return a.ask()
	case len(asked) == 0 && a.before != nil && a.before.Method == identity.MethodCertificate:
		return nil, mistype.Errorf("the last sign-in was by a certificate, which must be named again: --certificate FILE")
	case len(asked) == 0:
		return nil, mistype.Errorf("say how to sign in, by one of %s", ways)
	}
	return asked[0].do, a.useful(asked[0])
}

// useful refuses flags that the way to sign in has no use for.
func (a *attempt) useful(w way) error {
	for _, typed := range a.flags.typed {
		if typed != w.flag && !slices.Contains(w.takes, typed) {
			return mistype.Errorf("--%s is of no use to --%s", typed, w.flag)
		}
	}
	if slices.Contains(a.flags.typed, "password-stdin") && a.flags.secretFile != "" {
		return mistype.Errorf("say only one of --password-stdin, --secret-file")
	}
	return nil
}

// last is the flag of the way to sign in that worked last time, or that the config
// file asks for; "" for neither. A certificate isn't kept, and must be named again.
func (a *attempt) last() string {
	switch b := a.before; {
	case b == nil && a.entry.Identity == identity.User:
		return identity.MethodBrowser
	case b == nil, b.Method == identity.MethodCertificate:
		return ""
	case b.Method != "":
		return b.Method // the flag's name, too
	}
	return map[identity.Kind]string{
		identity.ServicePrincipal: "service-principal", identity.RegistryUser: "username", identity.FederatedToken: "federated-token-file",
		identity.ManagedIdentity: "managed-identity", identity.AzureCLI: "azure-cli", identity.Anonymous: "anonymous",
	}[a.before.Kind]
}

// repeat fills in what was typed last time and isn't now.
func (a *attempt) repeat() {
	f, b := &a.flags, a.before
	if b == nil {
		return
	}
	switch {
	case b.Kind == identity.User:
		f.as = cmp.Or(f.as, b.User)
	case b.Kind == identity.RegistryUser:
		f.username = b.User
	case !b.Sealed():
		f.tenant, f.clientID, f.objectID = cmp.Or(f.tenant, b.Tenant), cmp.Or(f.clientID, b.ClientID), cmp.Or(f.objectID, b.ObjectID)
		f.resourceID, f.subscription, f.tokenFile = cmp.Or(f.resourceID, b.ResourceID), cmp.Or(f.subscription, b.Subscription), b.TokenFile
	}
}
